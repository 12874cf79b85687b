from __future__ import annotations

import math
from dataclasses import replace

import pytest
from judged import PARENT, Told, child, guards_of, lineage, parent

from evoray.config import parse_config
from evoray.errors import RunError
from evoray.search.guards.judge import Guards
from evoray.search.guards.rounds import next_round, told
from evoray.strategies import Ask, Round, make_strategy

RUN = {"parent": {"name": "resnet18", "weights": "random"}, "data": {"path": "mnist5k"}}


def strategy_of(name, **search):
    return make_strategy(parse_config({**RUN, "search": {"strategy": name, "children": 8, "generations": 3, **search}}))


def test_without_guards_a_strategy_is_told_what_was_found():
    fresh = [parent(0.0), child(0, 2.0), child(1, -math.inf)]
    assert told(fresh, [], 2, Guards()) == [0.0, 2.0, -math.inf]


@pytest.mark.parametrize(
    ("breaks", "winners", "expected", "judged"),
    [
        ((), 1, [0.0, 3.0, 2.0, 1.0, -1.0], [0]),
        ((0,), 1, [0.0, -math.inf, 2.0, 1.0, -1.0], [0, 1]),
        ((0, 1), 2, [0.0, -math.inf, -math.inf, 1.0, -1.0], [0, 1, 2]),
        ((0, 1, 2, 3), 4, [0.0, -math.inf, -math.inf, -math.inf, -1.0], [0, 1, 2]),
        ((0,), 0, [0.0, 3.0, 2.0, 1.0, -1.0], []),
    ],
)
def test_who_breaks_a_guard_is_told_as_failed(breaks, winners, expected, judged):
    """Child 3 does not beat the parent, so nothing is asked about it."""
    judge, fresh = Told(breaks), [parent(0.0), *(child(at, value) for at, value in enumerate((3.0, 2.0, 1.0, -1.0)))]
    assert told(fresh, [], winners, guards_of(judge)) == expected
    assert judge.order == [fresh[1 + number].ask.name for number in judged]


def test_of_soups_one_is_looked_for_among_those_fitter_than_all_before():
    judge = Told((11,))
    guards = guards_of(judge)
    before = [parent(0.0), child(0, 3.0), child(1, 2.0)]
    told(before, [], 2, guards)
    soups = [child(10, 2.5, "soup"), child(11, 5.0, "soup"), child(12, 4.0, "soup"), child(13, 3.5, "soup")]
    assert told(soups, before, 2, guards) == [2.5, -math.inf, 4.0, 3.5]
    assert judge.order[2:] == ["g0000/s0011", "g0000/s0012"]


def test_a_broken_child_does_not_raise_the_bar():
    guards = guards_of(Told((0,)))
    before = [parent(0.0), child(0, 9.0), child(1, 2.0)]
    told(before, [], 2, guards)
    later = [child(5, 4.0, generation=1), child(6, 1.0, generation=1)]
    told(later, before, 2, guards)
    assert guards.held(lineage(5)) and not guards.held(lineage(6))


@pytest.mark.parametrize("name", ["mu-lambda", "evolution-strategy", "cma-es"])
@pytest.mark.parametrize("broken", [0, 1, 2, 3])
def test_of_a_steps_lengths_the_best_that_holds_is_made(name, broken):
    """Longer ones are fitter here, and the longest break it; where all do the parent stays."""
    strategy, judge = strategy_of(name), Told()
    guards = guards_of(judge)

    def play(fitness):
        asked = next_round(strategy, guards)
        fresh = [replace(parent(value), ask=ask) for value, ask in zip(fitness, asked.asks, strict=True)]
        judge.breaks |= {ask.lineage for ask in asked.asks[3 - broken :] if ask.kind == "soup"}
        strategy.tell(told(fresh, before, strategy.winners, guards))
        before.extend(fresh)
        return asked

    before = []
    play([0.0, *(math.sin(number) for number in range(8))])
    assert judge.order == [], "children are not judged"
    steps = play([1.0, 2.0, 3.0])
    after = next_round(strategy, guards)
    kept = steps.asks[2 - broken] if broken < 3 else PARENT
    assert judge.order == [ask.name for ask in steps.asks[::-1][: broken + 1]]
    assert (strategy.soup or PARENT) == kept
    assert name == "cma-es" or after.base == kept.lineage


def test_who_goes_on_from_candidates_is_asked_once():
    judge = Told()
    strategy = strategy_of("one-plus-lambda")
    assert next_round(strategy, guards_of(judge)) == strategy.ask() and judge.order == []


class Own:
    """Goes on from what nobody judged."""

    def ask(self):
        return Round(lineage(7), (Ask("g0001/c0000", lineage(8, lineage(7).entries), 1, "child"),))


def test_a_strategy_of_ones_own_that_goes_on_from_what_breaks_is_refused():
    assert next_round(Own(), guards_of(Told())) == Own().ask()
    with pytest.raises(RunError, match="Own went on from a network that breaks a guard"):
        next_round(Own(), guards_of(Told((7,))))
    assert next_round(Own(), Guards()) == Own().ask()
