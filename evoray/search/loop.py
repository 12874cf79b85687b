"""The generation loop: ask, evaluate on ``select``, tell."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from evoray.errors import RunError
from evoray.search.auto_sigma import resolve_sigma
from evoray.search.population import Judged, judge_round
from evoray.search.racing import Racer
from evoray.search.session import OpenRun
from evoray.strategies import Ask, Round, make_strategy


def search(run: OpenRun) -> tuple[list[Judged], Ask | None]:
    """All candidates in the order asked, with their merged sums on ``select``; the soup, if any was better."""
    if run.config.mutation.sigma == "auto":
        resolve_sigma(run)
    strategy = make_strategy(run.config)
    racer = Racer(run, strategy.elite) if run.config.search.racing else None
    judged: list[Judged] = []
    while (asked := strategy.ask()) is not None:
        started = time.perf_counter()
        race = None
        if racer is not None and asked.asks[-1].kind == "child":
            fresh, race = racer.judge(asked)
        else:
            fresh = judge_round(run, asked)
        strategy.tell([one.fitness for one in fresh])
        judged += fresh
        _record(run, asked, fresh, race, time.perf_counter() - started)
    if not any(one.ask.kind == "child" and one.fitness > -math.inf for one in judged):
        raise RunError(
            f"every child failed ({judged[-1].status}). Lower mutation.sigma, or look at the fitness function."
        )
    return judged, strategy.soup


def _record(run: OpenRun, asked: Round, fresh: Sequence[Judged], race: dict[str, Any] | None, seconds: float) -> None:
    finite = [one.fitness for one in fresh if one.fitness > -math.inf]
    given_up = {one.ask.name: run.given_up[one.ask.name] for one in fresh if one.ask.name in run.given_up}
    run.history.append(
        {
            "generation": asked.asks[-1].generation,
            "kind": asked.asks[-1].kind,
            "candidates": len(fresh),
            "failed": len(fresh) - len(finite),
            "best_fitness": max(finite, default=None),
            "mean_fitness": float(np.mean(finite)) if finite else None,
            "wall_s": seconds,
            **({"given_up": given_up} if given_up else {}),
            **({"racing": race} if race else {}),
        }
    )
