from __future__ import annotations

import math

import pytest
from judged import Told, child, guards_of, lineage, parent

from evoray.search.guards.judge import Guards, better_than

FIVE = [child(number, 1.0 - number / 10) for number in range(5)]


def names(some):
    return [one.ask.name for one in some]


def test_without_guards_nothing_is_judged():
    assert not Guards() and Guards().held(lineage(1))


@pytest.mark.parametrize(
    ("breaks", "wanted", "standing", "judged"),
    [
        ((), 2, [0, 1], [0, 1]),
        ((0,), 1, [1], [0, 1]),
        ((0, 1), 2, [2, 3], [0, 1, 2, 3]),
        ((1,), 3, [0, 2, 3], [0, 1, 2, 3]),
        ((0, 1, 2, 3, 4), 2, [], [0, 1, 2, 3, 4]),
        ((3,), 9, [0, 1, 2, 4], [0, 1, 2, 3, 4]),
        ((0,), 0, [], []),
    ],
)
def test_the_next_in_rank_is_tried_until_enough_stand(breaks, wanted, standing, judged):
    judge = Told(breaks)
    tried = guards_of(judge).first(FIVE, wanted, "g0000")
    assert names(tried.standing) == names(FIVE[number] for number in standing)
    assert judge.order == names(FIVE[number] for number in judged)
    assert tried.passed == {FIVE[number].ask.name for number in judged if number in breaks}


def test_who_breaks_one_guard_is_not_judged_by_the_next():
    first, second = Told((0,)), Told((1,), name="h")
    tried = guards_of(first, second).first(FIVE, 2, "last")
    assert names(tried.standing) == names(FIVE[2:4])
    assert second.order == names(FIVE[1:4]) and tried.passed == set(names(FIVE[:2]))


def test_what_is_known_is_not_judged_again():
    judge = Told((1,))
    guards = guards_of(judge)
    guards.first(FIVE[:3], 3, "g0000")
    guards.first(FIVE, 4, "last")
    assert judge.order == names(FIVE)
    assert guards.held(FIVE[0].ask.lineage) and not guards.held(FIVE[1].ask.lineage)


def test_beyond_the_most_everybody_is_passed_over():
    judge = Told((0,), most=2)
    tried = guards_of(judge).first(FIVE, 3, "g0000")
    assert names(tried.standing) == names(FIVE[1:2]) and judge.order == names(FIVE[:2])
    assert tried.passed == set(names(FIVE)) - set(names(FIVE[1:2]))
    assert guards_of(judge).unjudged(FIVE[4].ask) and not guards_of(judge).unjudged(FIVE[0].ask)
    assert names(guards_of(judge).first(FIVE, 2, "last").standing) == names(FIVE[1:3]), "counted anew elsewhere"


def test_a_status_says_what_is_broken_and_nothing_else_changes():
    guards = guards_of(Told((0,)))
    guards.first(FIVE, 1, "g0000")
    first, second = (guards.status(one) for one in FIVE[:2])
    assert (first.status, first.fitness) == ("breaks guard g: x", FIVE[0].fitness)
    assert second == FIVE[1]


def test_ranked_are_those_who_beat_the_bar_on_all_images():
    some = [
        parent(5.0), child(0, 1.0), child(1, 3.0), child(2, 2.0), child(3, 3.0),
        child(4, 9.0, status="dropped after 40 of 160 images"), child(5, -math.inf), child(6, 4.0, kind="soup"),
    ]  # fmt: skip
    assert names(better_than(some, 1.0)) == ["g0000/s0006", "g0000/c0001", "g0000/c0003", "g0000/c0002"]
