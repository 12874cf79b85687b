from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evoray.config import parse_config
from evoray.errors import ConfigError
from evoray.mutation import Lineage
from evoray.mutation.allocation import HISTORY
from evoray.mutation.partition import PartitionConfig
from evoray.strategies.base import Ask, Replayed, Round, child_name, drawn_by, ranked
from evoray.strategies.sampling import draw_children

PARENT = Ask("parent", Lineage(), 0, "parent", own=0)
CHILDREN = draw_children(PartitionConfig(parts=4), 0.1, 0, 0, 3, Lineage())


class Plain(Replayed):
    """Three rounds of two children; remembers what it was told."""

    elite, soup = 1, None

    def __init__(self):
        super().__init__()
        self.heard = []

    @classmethod
    def from_config(cls, config, search):
        return cls()

    def ask(self):
        return Round(Lineage(), tuple(CHILDREN[:2])) if len(self.heard) < 3 else None

    def _tell(self, pairs):
        self.heard.append([(fitness, ask.name) for fitness, ask in pairs])


def test_a_base_is_what_is_left_without_a_childs_own_entries():
    (first, *_) = CHILDREN
    second = first.lineage.child(CHILDREN[1].lineage.entries[0].mutation)
    assert PARENT.base == Lineage() == first.base
    assert Ask("x", second, 1, "child").base == first.lineage
    assert Ask("x", second, 1, "soup", own=2).base == Lineage()


def test_names_sort_as_they_were_drawn():
    assert child_name(0, 12) == "g0000/c0012"
    names = [child_name(generation, child) for generation in range(3) for child in (0, 9, 10, 999)]
    assert names == sorted(names)


@given(st.lists(st.integers(-3, 3).map(float) | st.just(-math.inf) | st.just(math.nan), max_size=12))
def test_the_fittest_come_first_equals_in_their_order_and_failures_not_at_all(fitness):
    pairs = [(value, f"c{number:02d}") for number, value in enumerate(fitness) if not math.isnan(value)]
    found = ranked(pairs)
    assert sorted(found, key=lambda pair: (-pair[0], pair[1])) == found
    assert set(found) == {pair for pair in pairs if pair[0] > -math.inf}


def test_what_was_told_is_the_state_and_it_is_json():
    strategy = Plain()
    strategy.tell([0.5, -math.inf])
    state = json.loads(json.dumps(strategy.state_dict(), allow_nan=False))
    again = Plain()
    again.load_state_dict(state)
    assert again.heard == strategy.heard == [[(0.5, "g0000/c0000"), (-math.inf, "g0000/c0001")]]
    assert again.state_dict() == state


@pytest.mark.parametrize("fitness", [[], [1.0], [1.0, 2.0, 3.0]])
def test_another_number_of_fitnesses_is_refused_and_changes_nothing(fitness):
    strategy = Plain()
    with pytest.raises(ValueError, match="one fitness for every candidate of the round"):
        strategy.tell(fitness)
    assert strategy.heard == [] and strategy.state_dict() == {"told": []}


def test_nothing_is_told_when_the_search_is_over():
    strategy = Plain()
    for _ in range(3):
        strategy.tell([1.0, 2.0])
    with pytest.raises(ValueError, match="one fitness for every candidate"):
        strategy.tell([1.0, 2.0])


def test_a_state_is_for_a_fresh_strategy():
    strategy = Plain()
    strategy.tell([1.0, 2.0])
    with pytest.raises(ValueError, match="told nothing yet"):
        strategy.load_state_dict({"told": []})


def run(**mutation):
    parent = {"name": "resnet18", "weights": "random"}
    return parse_config({"seed": 6, "parent": parent, "data": {"path": "mnist5k"}, "mutation": mutation})


def test_a_strategy_draws_by_numbers():
    config = run(sigma=0.3)
    assert drawn_by(config) == (config.mutation, 0.3, 6)
    with pytest.raises(ConfigError, match=r'mutation\.sigma = "auto" is chosen by the run'):
        drawn_by(run(sigma="auto"))


class Learner(Replayed):
    """Only what ``Replayed`` itself does."""

    Section = from_config = elite = soup = ask = _tell = None


Learner.__abstractmethods__ = frozenset()


def test_a_kind_is_told_what_children_gained_over_their_base():
    strategy, config = Learner(), PartitionConfig(parts=4)
    strategy.learn(config, -1.0, [(-0.5, child) for child in CHILDREN])
    assert strategy.credits == ()

    class Learns(PartitionConfig):
        def credit(self, gains):
            return [(recipe.part, gain) for recipe, gain in gains]

    for round_ in range(HISTORY + 3):
        strategy.learn(Learns(), -1.0, [(float(round_), child) for child in CHILDREN])
    assert len(strategy.credits) == HISTORY
    assert strategy.credits[-1] == [(part, HISTORY + 3.0) for part in range(3)]
