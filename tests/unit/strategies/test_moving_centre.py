from __future__ import annotations

import math

import pytest

from evoray.mutation import Lineage
from evoray.mutation.partition import PartitionConfig
from evoray.strategies.base import ranked
from evoray.strategies.moving_centre import MovingCentre


class ToTheBest(MovingCentre):
    """A step of length 1 ends at the fittest child, whether or not it is better."""

    elite = 1

    @classmethod
    def from_config(cls, config, search):
        raise NotImplementedError

    def _move(self, pairs):
        best = ranked(pairs)
        return best[0][1].lineage if best else self._centre.lineage


def make(children=3, generations=2):
    return ToTheBest(PartitionConfig(parts=4), 0.1, 5, children, generations)


def names(asked):
    return [ask.name for ask in asked.asks]


def weights(asked):
    return [ask.lineage.entries[-1].weight for ask in asked.asks]


def test_each_generation_is_its_children_and_then_three_lengths_of_their_step():
    strategy = make()
    assert names(strategy.ask()) == ["parent", "g0000/c0000", "g0000/c0001", "g0000/c0002"]
    strategy.tell([0.0, 1.0, 3.0, 2.0])
    assert names(strategy.ask()) == ["g0000/stepx0.25", "g0000/stepx1", "g0000/stepx4"]
    strategy.tell([0.5, 2.5, 0.1])
    assert names(strategy.ask()) == ["g0001/c0000", "g0001/c0001", "g0001/c0002"]
    strategy.tell([1.0, 1.0, 1.5])
    assert names(strategy.ask()) == ["g0001/stepx0.25", "g0001/stepx1", "g0001/stepx4"]
    strategy.tell([9.0, 1.0, 1.0])
    assert strategy.ask() is None and strategy.soup.name == "g0001/stepx0.25"


def test_the_best_length_is_the_next_centre_and_its_children_start_with_it():
    strategy = make()
    best = strategy.ask().asks[2].lineage
    strategy.tell([0.0, 1.0, 3.0, 2.0])
    steps = strategy.ask()
    assert steps.base == Lineage() and weights(steps) == [0.25, 1.0, 4.0]
    assert all(step.lineage.entries[0].mutation == best.entries[0].mutation for step in steps.asks)
    assert {(step.kind, step.own) for step in steps.asks} == {("soup", 1)}
    strategy.tell([0.1, 0.2, 0.3])
    asked = strategy.ask()
    assert asked.base == steps.asks[2].lineage == strategy.soup.lineage
    assert all(child.base == asked.base for child in asked.asks)


@pytest.mark.parametrize(
    ("told", "lengths"),
    [
        ([0.1, 0.2, 0.3], [1.0, 4.0, 16.0]),
        ([0.1, 0.3, 0.2], [0.25, 1.0, 4.0]),
        ([0.3, 0.2, 0.1], [0.0625, 0.25, 1.0]),
        ([0.3, 0.3, 0.1], [0.0625, 0.25, 1.0]),
        ([0.0, -1.0, -math.inf], [0.0625, 0.25, 1.0]),
    ],
)
def test_the_next_lengths_lie_around_what_was_best_and_are_shorter_where_nothing_was(told, lengths):
    strategy = make()
    strategy.tell([0.0, 1.0, 3.0, 2.0])
    strategy.tell(told)
    strategy.tell([1.0, 3.0, 2.0])
    assert weights(strategy.ask()) == lengths


def test_the_centre_stays_where_no_length_is_better():
    strategy = make()
    strategy.tell([10.0, 1.0, 30.0, 2.0])
    strategy.tell([10.0, 9.0, -math.inf])
    assert strategy.soup is None and strategy.ask().base == Lineage()
    strategy.tell([1.0, 3.0, 2.0])
    strategy.tell([10.5, 9.0, 1.0])
    assert strategy.soup.name == "g0001/stepx0.0625"


def test_where_there_is_no_step_no_length_is_tried():
    strategy = make()
    strategy.tell([0.0, *[-math.inf] * 3])
    assert names(strategy.ask())[0] == "g0001/c0000" and strategy.ask().base == Lineage()


def test_a_guard_judges_the_step_and_not_the_children():
    strategy = make()
    assert strategy.winners == 0
    strategy.tell([0.0, 1.0, 3.0, 2.0])
    assert strategy.winners == 1
    strategy.tell([0.1, 0.2, 0.3])
    assert strategy.winners == 0


def test_asking_twice_is_asking_once():
    strategy = make()
    for told in ([0.0, 1.0, 3.0, 2.0], [0.1, 0.2, 0.3]):
        assert strategy.ask() == strategy.ask()
        strategy.tell(told)
    assert strategy.ask() == strategy.ask()
