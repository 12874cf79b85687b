from __future__ import annotations

import math

import pytest

from evoray.mutation import Lineage
from evoray.mutation.partition import PartitionConfig
from evoray.strategies.base import ranked
from evoray.strategies.moving_centre import MovingCentre


class ToTheBest(MovingCentre):
    """Moves to the fittest child, whether or not it is better."""

    elite = 1

    @classmethod
    def from_config(cls, config, search):
        raise NotImplementedError

    def _move(self, pairs):
        return ranked(pairs)[0][1].lineage


def make(children=3, generations=2):
    return ToTheBest(PartitionConfig(parts=4), 0.1, 5, children, generations)


def names(asked):
    return [ask.name for ask in asked.asks]


def test_each_round_has_the_centre_and_its_children_and_one_more_has_the_centre_alone():
    strategy = make()
    assert names(strategy.ask()) == ["parent", "g0000/c0000", "g0000/c0001", "g0000/c0002"]
    strategy.tell([0.0, 1.0, 3.0, 2.0])
    second = strategy.ask()
    assert names(second) == ["g0000/step", "g0001/c0000", "g0001/c0001", "g0001/c0002"]
    strategy.tell([2.5, 1.0, 1.0, 1.5])
    assert names(strategy.ask()) == ["g0001/step"]
    strategy.tell([9.0])
    assert strategy.ask() is None


def test_children_and_centre_start_with_the_centre():
    strategy = make()
    best = strategy.ask().asks[2]
    strategy.tell([0.0, 1.0, 3.0, 2.0])
    asked = strategy.ask()
    centre, *children = asked.asks
    assert asked.base == centre.lineage == best.lineage
    assert (centre.kind, centre.own, centre.base) == ("soup", 1, Lineage())
    assert all(child.base == centre.lineage for child in children)


def test_the_centre_moves_though_it_becomes_worse():
    strategy = make()
    strategy.tell([10.0, 1.0, 3.0, 2.0])
    assert len(strategy.ask().base.entries) == 1


@pytest.mark.parametrize(
    ("centres", "best"),
    [
        ([0.0, 2.0, 1.0], "g0000/step"),
        ([0.0, 1.0, 2.0], "g0001/step"),
        ([2.0, 1.0, 0.0], None),
        ([0.0, 1.0, 1.0], "g0000/step"),
        ([1.0, 1.0, 1.0], None),
        ([0.0, -math.inf, -math.inf], None),
        ([-math.inf, 0.0, -1.0], "g0000/step"),
    ],
)
def test_the_answer_is_the_best_centre_the_first_of_equals_and_none_for_the_parent(centres, best):
    strategy = make()
    for centre in centres:
        strategy.tell([centre, *[5.0, 6.0, 7.0][: len(strategy.ask().asks) - 1]])
    assert (strategy.soup and strategy.soup.name) == best


def test_asking_twice_is_asking_once():
    strategy = make()
    assert strategy.ask() == strategy.ask()
    strategy.tell([0.0, 1.0, 3.0, 2.0])
    assert strategy.ask() == strategy.ask()
    assert strategy.soup is None
