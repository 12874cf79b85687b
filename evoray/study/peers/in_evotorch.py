"""EvoTorch's searchers around the parent, as its documentation has them; imported in EvoTorch's own environment.

A setting is the standard deviation of the first generation, in the weights' own units. Populations of SNES and CMA-ES
are the library's own (4 + 3 ln n). PGPE has none: it gets EvoRay's 40, and ClipUp with the speeds of its paper (Toklu
et al. 2020, arXiv 2008.02387: the largest step is a fifteenth of the radius, the step size half of that). CMA-ES is the
separable one: a whole covariance matrix of 24,058 weights would take 2.3 GB, and its roots hours.
"""

from __future__ import annotations

import math
from typing import Any

from evotorch import Problem
from evotorch.algorithms import CMAES, PGPE, SNES
from torch import Tensor

from evoray.study.peers.trial import Trial

POPULATION = 40
STDEV_RATE = 0.1
"""PGPE's learning rate of its standard deviations."""


def snes(trial: Trial, stdev: float, seed: int) -> None:
    _search(trial, SNES(_problem(trial, seed), stdev_init=stdev, center_init=trial.network.home))


def cma_es(trial: Trial, stdev: float, seed: int) -> None:
    _search(trial, CMAES(_problem(trial, seed), stdev_init=stdev, center_init=trial.network.home, separable=True))


def pgpe(trial: Trial, stdev: float, seed: int) -> None:
    speed = stdev * math.sqrt(len(trial.network.home)) / 15
    searcher = PGPE(
        _problem(trial, seed),
        popsize=POPULATION,
        center_learning_rate=speed / 2,
        stdev_learning_rate=STDEV_RATE,
        stdev_init=stdev,
        optimizer="clipup",
        optimizer_config={"max_speed": speed},
        center_init=trial.network.home,
    )
    _search(trial, searcher)


SEARCHES = {"snes": snes, "pgpe": pgpe, "cma-es": cma_es}


def _problem(trial: Trial, seed: int) -> Any:
    def loss(weights: Tensor) -> float:
        return trial.loss(weights)

    # bounds are asked for by CMA-ES, whose first population is drawn around the centre all the same
    return Problem("min", loss, solution_length=len(trial.network.home), initial_bounds=(-1, 1), seed=seed)


def _search(trial: Trial, searcher: Any) -> None:
    """Generations without end; after each the centre, and the best solution so far, may be the answer."""
    while True:
        searcher.step()
        best = searcher.status["best"]
        trial.offer(searcher.status["center"].clone(), None)
        trial.offer(best.values.clone(), float(best.evals[0]))
