"""Who may win: candidates in rank order, judged on each guard's ``select`` until enough of them stand.

A guard compares with the original parent, in every generation. Few are judged: those that would win, and who breaks a
guard is passed over for the next in rank. What was judged once is remembered, and journalled like all evaluations.
"""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from evoray.errors import RunError
from evoray.fitness import as_known
from evoray.mutation import Lineage, shared_base
from evoray.search.guards.checked import Guard
from evoray.search.population import Evaluated, Population, evaluated_as
from evoray.search.session import Session
from evoray.search.stages import Part, StageKey
from evoray.strategies import Ask, Round

LAST = "last"
"""Where the last choices are made, beside ``g0000`` and so on."""


@dataclass(frozen=True)
class Tried:
    """Candidates that were tried in rank order. standing: those that hold every guard; passed: names of those that do
    not win, as they break one or could not be judged any more."""

    standing: tuple[Evaluated, ...]
    passed: frozenset[str]


class Judge:
    """One guard: what it has judged, and what it found."""

    def __init__(self, session: Session, guard: Guard) -> None:
        self.guard, self.session = guard, session.on_guard(guard)
        self._population = Population(self.session)
        self._found: dict[Lineage, str] = {}
        self._counts: Counter[str] = Counter()
        self._full: set[str] = set()
        self.parent = self._population.parent_total()
        one = evaluated_as(guard.fitness, Ask("parent", Lineage(), 0, "parent"), self.parent, self.counted)
        if one.fitness == -math.inf:
            raise RunError(
                f"guard {guard.name}: the parent's {guard.keep.metric} on its select is not defined ({one.status}), so "
                "there is nothing to keep. Name another figure or other data."
            )

    @property
    def counted(self) -> str:
        return self.session.splits.counted

    @property
    def parent_value(self) -> float:
        """The parent's figure on the guard's ``select``, as people know it."""
        return as_known(self.guard.fitness, self.guard.fitness.value(self.parent))

    @property
    def judged(self) -> int:
        return len(self._found)

    @property
    def broken(self) -> int:
        return sum(bool(said) for said in self._found.values())

    def says(self, lineage: Lineage) -> str | None:
        """What a network breaks, empty where it holds; None where it was not judged."""
        return self._found.get(lineage) if lineage.entries else ""

    def judge(self, asks: Sequence[Ask], where: str) -> None:
        """Judges those that it does not know, as many as are left for ``where``."""
        unknown = list({ask.lineage: ask for ask in asks if self.says(ask.lineage) is None}.values())
        some = unknown[: self.guard.candidates - self._counts[where]]
        if some:
            base = shared_base([ask.lineage for ask in some])
            key = StageKey(f"{where}/{self._counts[where]:04d}", Part.GUARD)
            for one in self._population.evaluate(Round(base, tuple(some)), key):
                holds = one.fitness > -math.inf
                self._found[one.ask.lineage] = "" if holds else f"breaks guard {self.guard.name}: {_reason(one)}"
            self._counts[where] += len(some)
        if len(some) < len(unknown) and where not in self._full:
            self._full.add(where)
            self.session.observers.note(
                f"guard {self.guard.name}: {self._counts[where]} candidates of {where} were judged, its most; who "
                "comes after them is passed over. Raise the guard's candidates to try more."
            )

    def holds(self, total: np.ndarray) -> bool:
        """Whether merged sums on the guard's ``select`` hold."""
        fitness = self.guard.fitness
        return fitness.layout.is_valid(total) and fitness.broken(total, self.parent) is None

    @property
    def said(self) -> str:
        """The parent's figure on the guard's data, and what is to be kept of it."""
        keep, measure = self.guard.keep, self.guard.fitness.measure
        images = self.guard.fitness.layout.count(self.parent)
        return (
            f"guard {self.guard.name}: the parent has {measure.words} {measure.show(self.parent_value)} on "
            f"{images} {self.counted} of its select; who wins keeps {keep.text}"
        )


def _reason(one: Evaluated) -> str:
    return one.status.removeprefix("breaks ")


class Guards:
    """All guards of a run; false where it has none, and then nothing is judged."""

    def __init__(self, session: Session | None = None) -> None:
        self.judges = tuple(Judge(session, guard) for guard in session.inputs.guards) if session else ()
        for judge in self.judges:
            judge.session.observers.note(judge.said)

    def __bool__(self) -> bool:
        return bool(self.judges)

    def judge(self, asks: Sequence[Ask], where: str) -> list[Ask]:
        """Those that hold every guard."""
        for judge in self.judges:
            judge.judge(asks, where)
            asks = [ask for ask in asks if judge.says(ask.lineage) == ""]
        return list(asks)

    def held(self, lineage: Lineage) -> bool:
        """Whether every guard has judged it, and it breaks none."""
        return all(judge.says(lineage) == "" for judge in self.judges)

    def unjudged(self, ask: Ask) -> bool:
        """Whether nothing is known that it breaks, and a guard has not judged it."""
        said = [judge.says(ask.lineage) for judge in self.judges]
        return None in said and not any(said)

    def status(self, one: Evaluated) -> Evaluated:
        """The same; what it is known to break is its status, and its fitness stays what ``select`` says."""
        broken = [said for judge in self.judges if (said := judge.says(one.ask.lineage))]
        return replace(one, status=broken[0]) if broken and one.status == "ok" else one

    def first(self, ranked: Sequence[Evaluated], wanted: int, where: str) -> Tried:
        """The first ``wanted`` that hold every guard, the best first; no more are judged than it takes."""
        standing: list[Evaluated] = []
        tried, full = 0, False
        while len(standing) < wanted and not full and (batch := ranked[tried : tried + wanted - len(standing)]):
            held = {ask.lineage for ask in self.judge([one.ask for one in batch], where)}
            standing += [one for one in batch if one.ask.lineage in held]
            full = any(self.unjudged(one.ask) for one in batch)
            tried = len(ranked) if full else tried + len(batch)
        stand = {one.ask.name for one in standing}
        return Tried(tuple(standing), frozenset(one.ask.name for one in ranked[:tried]) - stand)


def better_than(evaluated: Sequence[Evaluated], bar: float) -> list[Evaluated]:
    """Who was evaluated on all of ``select`` and is fitter than a bar, best first; equals keep their order."""
    able = [one for one in evaluated if one.ask.kind != "parent" and one.fitness > bar and one.status == "ok"]
    return sorted(able, key=lambda one: -one.fitness)
