"""The generation loop: ask, evaluate on ``select``, tell."""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from evoray.fitness import as_known, with_fitness
from evoray.runtime.events import RoundDone, Seen
from evoray.search.announce import parent_line, standing
from evoray.search.guards.judge import Guards
from evoray.search.guards.rounds import next_round, told
from evoray.search.population import Evaluated, Population, check_some_succeeded
from evoray.search.racing import Racer
from evoray.search.session import Session
from evoray.strategies import Ask, Round, make_strategy
from evoray.tasks.base import finite_or_none


@dataclass(frozen=True)
class Found:
    """What a search found.

    evaluated: all candidates in the order asked, with their merged sums on ``select``; at least one child did not fail.
    soup: the network that the strategy moved to, if any was better than the parent. races: what each saved and risked.
    """

    population: Population
    evaluated: list[Evaluated] = field(default_factory=list)
    soup: Ask | None = None
    races: tuple[dict[str, Any], ...] = ()
    guards: Guards = field(default_factory=Guards)


def search(session: Session) -> Found:
    """Runs the strategy to its end.

    Raises:
        RunError: every child failed.
    """
    strategy, population = make_strategy(session.config), Population(session)
    guards = Guards(session)
    racer = Racer(session, strategy.elite) if session.config.search.racing else None
    evaluated: list[Evaluated] = []
    races: list[dict[str, Any]] = []
    best: Evaluated | None = None
    while (asked := next_round(strategy, guards)) is not None:
        started, race = time.perf_counter(), None
        if racer is not None and asked.asks[-1].kind == "child":
            fresh, race = racer.evaluate(asked)
            races.append(race)
        else:
            fresh = population.evaluate(asked)
        _tell_parent(session, fresh if not evaluated else ())
        strategy.tell(told(fresh, evaluated, strategy.winners, guards))
        evaluated += fresh
        ranked = [one for one in (best, *fresh) if one is not None and one.status == "ok"]
        best = max(ranked, key=lambda one: one.fitness, default=None)
        said = _standing(session, evaluated[0], best)
        session.observers.emit(_round_done(session, asked, fresh, race, time.perf_counter() - started, said))
    check_some_succeeded(evaluated)
    return Found(population, evaluated, strategy.soup, tuple(races), guards)


def _tell_parent(session: Session, first: Sequence[Evaluated]) -> None:
    """Its own figures, from the first round, where all strategies ask for it."""
    inputs = session.inputs
    for one in first:
        if one.ask.kind == "parent" and one.total is not None:
            said = parent_line(
                inputs.task, session.fitness, inputs.classes, one.total, inputs.said.trial, inputs.splits.counted
            )
            session.observers.note(said)


def _standing(session: Session, first: Evaluated, best: Evaluated | None) -> str:
    """Who is best so far; nothing where it is the parent, which all strategies ask for first, or nobody."""
    if best is None or best is first or first.ask.kind != "parent" or first.status != "ok":
        return ""
    return standing(session.fitness, best.ask.name, best.fitness, first.fitness)


def _round_done(
    session: Session, asked: Round, fresh: Sequence[Evaluated], race: dict[str, Any] | None, seconds: float, said: str
) -> RoundDone:
    able = [one for one in fresh if one.fitness > -math.inf]
    best = max(able, key=lambda one: one.fitness, default=None)
    mean = float(np.mean([one.fitness for one in able])) if able else None
    return RoundDone(
        generation=asked.asks[-1].generation,
        kind=asked.asks[-1].kind,
        candidates=len(fresh),
        failed=len(fresh) - len(able),
        best_fitness=best.fitness if best else None,
        mean_fitness=mean,
        wall_s=seconds,
        given_up={one.ask.name: one.given_up for one in fresh if one.given_up},
        racing=race,
        standing=said,
        figures=_figures(session, best, mean),
        seen=tuple(_seen(session, one) for one in fresh),
    )


def _seen(session: Session, one: Evaluated) -> Seen:
    value = as_known(session.fitness, one.fitness) if math.isfinite(one.fitness) else None
    own = one.ask.lineage.entries[-one.ask.own :] if one.ask.kind == "child" else ()
    blocks = {entry.mutation.row()["block"] for entry in own if "block" in entry.mutation.columns}
    return Seen(one.ask.name, one.ask.kind, value, blocks.pop() if len(blocks) == 1 else None)


def _figures(session: Session, best: Evaluated | None, mean: float | None) -> dict[str, dict[str, float | None]]:
    """Of a round, by the task's names; empty where every candidate failed."""
    if best is None or best.total is None or mean is None:
        return {}
    task, fitness = session.inputs.task, session.fitness
    figures = with_fitness(task.figures(fitness.layout.by_name(best.total)), fitness, best.total)
    return {
        "best": {name: finite_or_none(one.value) for name, one in figures.items()},
        "mean": {fitness.name: finite_or_none(as_known(fitness, mean))},
    }
