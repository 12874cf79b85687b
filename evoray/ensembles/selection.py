"""Which children the ensemble is made of, and with what weight.

All but ``top_k`` work on one number an image: the probability that a candidate gives the true class. The ensemble's
likelihood is the mean of those, so [candidates, images] float64 is all that leaves the workers, a thousandth of the
logits where there are a thousand classes.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from evoray.mutation import Lineage

EM_STEPS = 200
LEAST_WEIGHT = 0.01
"""A member of less weight than this costs a forward pass and changes nothing that could be seen."""


@dataclass(frozen=True)
class Selection:
    """Candidates by their index, each once, with positive weights.

    path: NLL on ``select`` after each step of the choice, nats per image.
    """

    indices: tuple[int, ...]
    weights: tuple[float, ...]
    path: tuple[float, ...] = ()


def top_k(fitness: Sequence[float], k: int) -> list[int]:
    """Indices of the k fittest, best first; equals keep their order.

    Failures (NaN or infinite fitness) are never members, so fewer than k may come back.
    """
    able = [index for index, value in enumerate(fitness) if math.isfinite(value)]
    return sorted(able, key=lambda index: -fitness[index])[: max(k, 0)]


def greedy(own: np.ndarray, size: int) -> Selection:
    """Forward selection with replacement (Caruana et al. 2004): the member that lowers the NLL most, ``size`` times.

    What is kept is the shortest beginning with the lowest NLL; who was drawn twice has weight two. Equals: the first.

    Args:
        own: float64 [candidates, n], probability of the true class on the images of ``select``.
        size: draws, at least one.
    """
    total = np.zeros(own.shape[1])
    drawn: list[int] = []
    path: list[float] = []
    for step in range(1, size + 1):
        scores = np.array([_nll((total + row) / step) for row in own])
        best = int(np.argmin(np.where(np.isnan(scores), np.inf, scores)))
        total += own[best]
        drawn.append(best)
        path.append(float(scores[best]))
    kept = drawn[: int(np.argmin(path)) + 1]
    indices = tuple(dict.fromkeys(kept))
    return Selection(indices, tuple(float(kept.count(index)) for index in indices), tuple(path))


def weighted(own: np.ndarray) -> Selection:
    """The convex weights of lowest NLL: mixture proportions by expectation maximisation (Dempster et al. 1977).

    The NLL is convex in the weights, so there is one optimum, and every step lowers it. Heaviest first; weights
    under LEAST_WEIGHT are dropped, the others sum to one.

    Args:
        own: float64 [candidates, n], as for ``greedy``.
    """
    weights = np.full(len(own), 1 / len(own))
    path = []
    for _ in range(EM_STEPS):
        # summed in a fixed order: BLAS would let the last bits depend on its threads
        mixture = np.zeros(own.shape[1])
        for weight, row in zip(weights, own, strict=True):
            mixture += weight * row
        path.append(_nll(mixture))
        with np.errstate(divide="ignore", invalid="ignore"):
            shares = np.array([np.nanmean(row / mixture) for row in own])
        weights = weights * shares
        weights /= weights.sum()
    kept = [int(index) for index in np.argsort(-weights, kind="stable") if weights[index] >= LEAST_WEIGHT]
    share = sum(float(weights[index]) for index in kept)
    return Selection(
        tuple(kept), tuple(float(weights[index]) / share for index in kept), tuple(path[:: EM_STEPS // 10])
    )


def _nll(own: np.ndarray) -> float:
    with np.errstate(divide="ignore"):
        return -float(np.log(own).sum()) / own.size


@dataclass(frozen=True)
class Member:
    """One voice of the ensemble; weights need not sum to one."""

    name: str
    lineage: Lineage
    weight: float = 1.0
