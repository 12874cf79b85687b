"""What ``select`` says of a round's candidates: from the journal where it is known, else evaluated now."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from evoray.backends import Job
from evoray.errors import RunError
from evoray.evaluation.units.children import Candidate, ChildrenUnit, is_valid
from evoray.fitness import COLUMNS, Constrained, Fitness, MergedSums
from evoray.mutation import Lineage
from evoray.search.session import GIVEN_UP, OpenRun
from evoray.strategies import Ask, Round


@dataclass(frozen=True)
class Judged:
    """A candidate and what ``select`` says of it; fitness is -inf and status a reason where it failed."""

    ask: Ask
    total: np.ndarray | None
    fitness: float
    status: str


def judge_round(run: OpenRun, asked: Round) -> list[Judged]:
    """Every candidate of a round, in the order asked, with its merged sums on ``select``."""
    if run.closed is not None:
        raise RunError("a child was to be judged after the search was over and test was opened.")
    sums, given_up = _evaluate(run, asked)
    judged = []
    for number, ask in enumerate(asked.asks):
        if number in given_up:
            one = Judged(ask, None, -math.inf, GIVEN_UP)
        else:
            one = judge_total(run.fitness, ask, sums.total(number))
        if ask.kind == "parent":
            run.parent_total = None if one.total is None else one.total.copy()  # outlives the round's
        judged.append(_constrained(run, one))
    return judged


def parent_total(run: OpenRun) -> np.ndarray:
    """The parent's merged sums on ``select``; judged now where no strategy asked for it."""
    if run.parent_total is None:
        judge_round(run, Round(Lineage(), (Ask("parent", Lineage(), 0, "parent"),)))
    assert run.parent_total is not None
    return run.parent_total


def _constrained(run: OpenRun, one: Judged) -> Judged:
    """Who breaks a constraint ranks behind all that keep it, and says which."""
    if not isinstance(run.fitness, Constrained) or one.ask.kind == "parent" or one.fitness == -math.inf:
        return one
    assert one.total is not None
    broken = run.fitness.broken(one.total, parent_total(run))
    return one if broken is None else replace(one, fitness=-math.inf, status=f"breaks {broken}")


def _evaluate(run: OpenRun, asked: Round) -> tuple[MergedSums, set[int]]:
    """Sums of every candidate, and which were given up."""
    shards = run.inputs.splits.shards("select")
    width = len(COLUMNS) + run.fitness.width
    sums = MergedSums(len(asked.asks), len(shards), width)
    name = f"g{asked.asks[-1].generation:04d}/{asked.asks[-1].kind}"
    column = {shard: position for position, shard in enumerate(shards)}
    position = {ask.name: number for number, ask in enumerate(asked.asks)}
    for item, shard, payload in run.known.take(name):
        sums.add(position[item], column[shard], np.frombuffer(payload))
    given_up = {position[item] for item in run.quarantined(name)}
    # one list for all shards while nothing is known: children x shards numbers are not made twice
    numbers = list(range(len(asked.asks)))
    unknown = sums.unknown
    unknown[list(given_up)] = False
    work = {
        shard: numbers if unknown[:, at].all() else [numbers[i] for i in np.flatnonzero(unknown[:, at])]
        for shard, at in column.items()
    }

    def unit(shard: int, items: tuple[int, ...]) -> ChildrenUnit:
        asks = [asked.asks[item] for item in items]
        children = tuple(Candidate(ask.name, ask.lineage.tail(asked.base)) for ask in asks)
        return ChildrenUnit(asked.base, children, "select", shard)

    for shard, number, value, failure in run.outcomes(name, Job(work, unit, (asked.base,), "select")):
        if failure is not None:
            if number not in given_up:
                given_up.add(number)
                run.give_up(name, asked.asks[number].name, shard, failure)
            continue
        sums.add(number, column[shard], value)
        run.images += int(value[0])
        run.journal.add((name, asked.asks[number].name, shard), value.tobytes())
    return sums, given_up


def judge_total(fitness: Fitness, ask: Ask, total: np.ndarray) -> Judged:
    """From merged sums, float64 [len(COLUMNS) + fitness.width]."""
    if not is_valid(total):
        return Judged(ask, total, -math.inf, f"{int(total[3])} images with NaN or infinite outputs")
    value = fitness.value(total)
    if not math.isfinite(value):
        return Judged(ask, total, -math.inf, f"fitness is {value}")
    return Judged(ask, total, value, "ok")
