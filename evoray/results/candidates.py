"""Who may win at the end: the fittest children, or where guards judge, those of them that hold every guard.

With guards only children that beat the parent are tried, in rank order, and where none of them stands the parent stays.
A soup or an ensemble of members that hold a guard may itself break it: then the longest beginning of it that holds.
A vote over answers that is worse than the parent's own on ``select`` is none either.
"""

from collections.abc import Sequence
from functools import cached_property

import numpy as np

from evoray.ensembles import Member, top_k
from evoray.evaluation.units.guarded import BeginningsUnit
from evoray.fitness import Constrained
from evoray.mutation import Lineage, shared_base, soup
from evoray.search.guards.judge import LAST, Judge, better_than
from evoray.search.loop import Found
from evoray.search.population import Evaluated, evaluated_as
from evoray.search.session import Session
from evoray.search.stages import ARRAYS, Part, Stage, StageKey, run_whole
from evoray.strategies import Ask
from evoray.tasks.sums import merge_shards


def fittest(evaluated: Sequence[Evaluated], count: int) -> list[Evaluated]:
    """The best children of the run, at most ``count``; failures are never among them."""
    children = [one for one in evaluated if one.ask.kind == "child"]
    return [children[index] for index in top_k([one.fitness for one in children], count)]


class Candidates:
    """Of one run, once its search is over; what has to be judged is evaluated now."""

    def __init__(self, session: Session, found: Found) -> None:
        self._session, self._found, self._guards = session, found, found.guards
        self.notes: list[str] = []

    @cached_property
    def _parent(self) -> Evaluated:
        total = self._found.population.parent_total()
        return evaluated_as(self._session.fitness, Ask("parent", Lineage(), 0, "parent", own=0), total)

    @cached_property
    def _ranked(self) -> list[Evaluated]:
        """Children that beat the parent and are not known to break a guard, best first."""
        able = [self._guards.status(one) for one in self._found.evaluated if one.ask.kind == "child"]
        return better_than(able, self._parent.fitness)

    def fittest(self, count: int) -> list[Evaluated]:
        """The best children that may win, at most ``count``."""
        if not self._guards:
            return fittest(self._found.evaluated, count)
        return list(self._guards.first(self._ranked, count, LAST).standing)

    def best(self) -> Evaluated:
        """The best child; the parent itself where no child that beats it holds every guard."""
        for one in self.fittest(1):
            return one
        tried = better_than([one for one in self._found.evaluated if one.ask.kind == "child"], self._parent.fitness)
        some = "no child that beats the parent holds every guard" if tried else "no child beats the parent"
        self._note(f"guards: {some}, so the parent stays")
        return self._parent

    def pool(self, count: int) -> list[Evaluated]:
        """The fittest to choose members from; those chosen are judged by ``unbroken``."""
        return self._ranked[:count] if self._guards else fittest(self._found.evaluated, count)

    def unbroken(self, pool: Sequence[Evaluated], chosen: Sequence[Evaluated]) -> list[int]:
        """Places in a pool that are left when those chosen from it were judged."""
        if not self._guards:
            return list(range(len(pool)))
        held = {ask.name for ask in self._guards.judge([one.ask for one in chosen], LAST)}
        passed = {one.ask.name for one in chosen} - held
        return [place for place, one in enumerate(pool) if one.ask.name not in passed]

    def holds(self, ask: Ask | None) -> bool:
        """Whether a network holds every guard; the parent (None) does."""
        return ask is None or not self._guards or bool(self._guards.judge([ask], LAST))

    def beginning(self, lineages: Sequence[Lineage]) -> Sequence[Lineage]:
        """The longest beginning of a soup's lineages whose soup holds every guard; at least the first of them."""
        if self.holds(_soup(lineages)):
            return lineages
        shorter = {size: _soup(lineages[:size]) for size in range(len(lineages) - 1, 1, -1)}
        held = {ask.name for ask in self._guards.judge(list(shorter.values()), LAST)}
        longest = next((size for size, ask in shorter.items() if ask.name in held), 1)
        self._note(f"guards: the soup of {len(lineages)} members breaks one; {_first(longest)} of them is tried")
        return lineages[:longest]

    def ensemble(self, members: tuple[Member, ...]) -> tuple[Member, ...]:
        """The longest beginning of the members whose ensemble holds every guard whose task combines answers."""
        sizes = set(range(1, len(members) + 1))
        for judge in self._guards.judges if members else ():
            if judge.session.inputs.task.combine is None:
                judge.session.observers.note(
                    f"guard {judge.guard.name}: {judge.guard.inputs.task.schema.task} makes no ensemble, so the "
                    "ensemble is not judged by it"
                )
                continue
            sizes &= _sizes_that_hold(judge, members, self._session.config.ensemble.method)
        longest = max(sizes, default=0)
        if longest < len(members):
            self._note(
                f"guards: the ensemble of {len(members)} breaks one; "
                + (f"it is {_first(longest)} of them" if longest else "so does every beginning of it, so there is none")
            )
        return members[:longest]

    def vote(self, members: tuple[Member, ...]) -> tuple[Member, ...]:
        """The longest beginning of the members whose vote is no worse than the parent on ``select``; the parent alone
        where each is.

        Looked at only where a member is no better than the parent: a vote over answers of such may lose what one
        network knew. A mean of probabilities is left as it is: it often gains from members that do not.
        """
        fitness = {one.ask.name: one.fitness for one in self._found.evaluated}
        if all(fitness[member.name] > self._parent.fitness for member in members):
            return members
        method, key = self._session.config.ensemble.method, StageKey("ensemble/votes", Part.MEMBERS)
        totals = _beginnings(self._session, key, members, method)
        sound = [size for size, total in enumerate(totals, start=1) if self._no_worse(total)]
        longest = max(sound, default=0)
        if longest < len(members):
            self._note(
                f"the vote of {len(members)} is worse than the parent on select; "
                + (f"it is the vote of the first {longest}" if longest else "so is every beginning: it is the parent")
            )
        return members[:longest] or (Member("parent", Lineage()),)

    def _note(self, text: str) -> None:
        self._session.observers.note(text)
        self.notes.append(text)

    def _no_worse(self, total: np.ndarray) -> bool:
        fitness = self._session.fitness
        vote = evaluated_as(fitness, Ask("vote", Lineage(), 0, "soup"), total)
        broken = isinstance(fitness, Constrained) and fitness.broken(total, self._found.population.parent_total())
        return vote.fitness >= self._parent.fitness and not broken


def _soup(lineages: Sequence[Lineage]) -> Ask:
    """The mean of networks as a candidate."""
    return Ask(f"final/soup{len(lineages):02d}", soup(lineages, shared_base(lineages)), 0, "soup")


def _first(size: int) -> str:
    return "the first" if size == 1 else f"the mean of the first {size}"


def _sizes_that_hold(judge: Judge, members: tuple[Member, ...], method: str) -> set[int]:
    """Of the ensembles of the first member, of the first two, …, those that hold a guard on its ``select``."""
    totals = _beginnings(judge.session, StageKey("ensemble", Part.GUARD), members, method)
    return {size for size, total in enumerate(totals, start=1) if judge.holds(total)}


def _beginnings(session: Session, key: StageKey, members: tuple[Member, ...], method: str) -> list[np.ndarray]:
    """Merged sums on ``select`` of the ensembles of the first member, of the first two, …"""
    images = session.splits.images_by_shard("select")
    base = shared_base([member.lineage for member in members])

    def unit(shard: int, items: tuple[int, ...]) -> BeginningsUnit:
        return BeginningsUnit(base, members, method, "select", shard)

    counts = {shard: len(members) * count for shard, count in images.items()}
    found = run_whole(session, Stage(key, ["all"], counts, unit, ARRAYS, shared=(base, members)))
    stacked = np.stack([found[shard]["sums"] for shard in images])
    return [merge_shards(stacked[:, member]) for member in range(len(members))]
