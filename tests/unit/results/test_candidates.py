from __future__ import annotations

from types import SimpleNamespace

import pytest
from judged import PARENT, Told, child, guards_of, parent

from evoray.mutation import Entry, Lineage, soup
from evoray.results.candidates import Candidates, fittest
from evoray.search.guards.judge import Guards

CHILDREN = [child(number, value) for number, value in enumerate((4.0, 3.0, 2.0, 1.0, -1.0))]


def candidates(*judges, evaluated=CHILDREN):
    """Of a run whose parent's fitness is 0."""
    said = []
    layout = SimpleNamespace(is_valid=lambda total: True)
    session = SimpleNamespace(
        fitness=SimpleNamespace(layout=layout, value=lambda total: 0.0), observers=SimpleNamespace(note=said.append)
    )
    population = SimpleNamespace(parent_total=lambda: None)
    guards = guards_of(*judges) if judges else Guards()
    found = SimpleNamespace(population=population, guards=guards, evaluated=[parent(0.0), *evaluated])
    return Candidates(session, found), said


def names(some):
    return [one.ask.name for one in some]


def test_without_guards_the_fittest_win_better_than_the_parent_or_not():
    found, said = candidates()
    assert names(found.fittest(9)) == names(CHILDREN) == names(fittest(CHILDREN, 9))
    assert found.best() == CHILDREN[0] and found.pool(2) == CHILDREN[:2] and found.holds(CHILDREN[0].ask)
    assert found.unbroken(CHILDREN, CHILDREN[:2]) == [0, 1, 2, 3, 4] and said == []


@pytest.mark.parametrize(
    ("breaks", "best", "members"), [((), 0, [0, 1]), ((0,), 1, [1, 2]), ((0, 2), 1, [1, 3]), ((1, 2, 3), 0, [0])]
)
def test_with_guards_those_win_that_hold_and_beat_the_parent(breaks, best, members):
    found, said = candidates(Told(breaks))
    assert found.best() == CHILDREN[best]
    assert names(found.fittest(2)) == names(CHILDREN[number] for number in members) and said == []


@pytest.mark.parametrize(
    ("evaluated", "words"),
    [(CHILDREN, "no child that beats the parent holds every guard"), (CHILDREN[4:], "no child beats the parent")],
)
def test_where_nobody_stands_the_parent_does(evaluated, words):
    found, said = candidates(Told((0, 1, 2, 3)), evaluated=evaluated)
    assert found.best().ask == PARENT and found.fittest(3) == []
    assert said == [f"guards: {words}, so the parent stays"]


def test_members_that_break_a_guard_leave_the_pool():
    found, _ = candidates(Told((1,)))
    pool = found.pool(3)
    assert pool == CHILDREN[:3]
    assert found.unbroken(pool, pool[:2]) == [0, 2] and found.unbroken([pool[0], pool[2]], [pool[2]]) == [0, 1]


def lineages(count):
    return [one.ask.lineage for one in CHILDREN[:count]]


@pytest.mark.parametrize(("breaks", "longest"), [((), 4), ((4,), 3), ((4, 3), 2), ((4, 3, 2), 1), ((3,), 4)])
def test_a_soup_that_breaks_becomes_its_longest_beginning_that_holds(breaks, longest):
    judge = Told()
    judge.breaks = {soup(lineages(size), Lineage()) for size in breaks}
    found, said = candidates(judge)
    assert found.beginning(lineages(4)) == lineages(longest)
    assert len(judge.order) == (1 if longest == 4 else 3), "the others only where the whole breaks"
    assert len(said) == (longest < 4)


def test_the_parent_itself_holds():
    found, _ = candidates(Told((0,)))
    assert found.holds(None) and found.holds(PARENT) and not found.holds(CHILDREN[0].ask)
    assert found.holds(child(9, 1.0).ask) and Entry(9.0, None) in child(9, 1.0).ask.lineage.entries
