from __future__ import annotations

import math

import pytest
from judged import PARENT, Told, child, guards_of, lineage, parent

from evoray.config import parse_config
from evoray.errors import RunError
from evoray.mutation import Lineage
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
@pytest.mark.parametrize("holds_from", [0, 1, 2, 3, 4])
def test_a_step_is_cut_until_it_holds(name, holds_from):
    """Halved 0 to 3 times, else not made: the centre is the parent's."""
    strategy = strategy_of(name)

    class Judge(Told):
        def judge(self, asks, where):
            for ask in asks:
                if self.says(ask.lineage) is None:
                    self.found[ask.lineage] = "" if len(self.found) >= holds_from else "breaks guard g: x"

    guards = guards_of(Judge())
    first = next_round(strategy, guards)
    assert first.asks[0] == PARENT
    strategy.tell([0.0, *(math.sin(number) for number in range(8))])
    whole = strategy.centre.lineage
    asked = next_round(strategy, guards)
    cut = asked.asks[0].lineage
    if holds_from == 4:
        assert cut == Lineage() and asked.asks[0].kind == "parent"
    else:
        assert [one.weight for one in cut.entries] == pytest.approx(
            [one.weight * 0.5**holds_from for one in whole.entries]
        )
    assert len(asked.asks) == 9


def test_who_goes_on_from_candidates_is_asked_once():
    judge = Told()
    strategy = strategy_of("one-plus-lambda")
    assert next_round(strategy, guards_of(judge)) == strategy.ask() and judge.order == []


class Own:
    """Goes on from what nobody judged."""

    centre = None

    def ask(self):
        return Round(lineage(7), (Ask("g0001/c0000", lineage(8, lineage(7).entries), 1, "child"),))


def test_a_strategy_of_ones_own_that_goes_on_from_what_breaks_is_refused():
    assert next_round(Own(), guards_of(Told())) == Own().ask()
    with pytest.raises(RunError, match="Own went on from a network that breaks a guard"):
        next_round(Own(), guards_of(Told((7,))))
    assert next_round(Own(), Guards()) == Own().ask()
