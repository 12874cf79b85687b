"""The extension point: a fitness adds sums a shard at a time, and turns their total into one number.

A shard's result is one float64 vector: ``COLUMNS`` first, then what the fitness itself adds. Counts are whole
numbers (exact in float64 up to 2**53), and vectors merge by addition in shard order, so the same shards give
the same bits whatever worker evaluated them and whenever they came.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Protocol

import numpy as np
from torch import Tensor

COLUMNS = ("n", "top1", "top5", "invalid", "nll")


class Fitness(Protocol):
    """Higher is better. ``sums`` runs on the workers, ``value`` on the driver."""

    name: str
    width: int
    """How many sums this fitness adds behind COLUMNS."""

    def sums(self, logits: Tensor, labels: Tensor) -> np.ndarray:
        """float64 [width] of one shard: logits [n, C] float32 and labels [n] int64, on the worker's device."""
        ...

    def value(self, total: np.ndarray) -> float:
        """Fitness from a merged vector, float64 [len(COLUMNS) + width]; NaN where it is not defined."""
        ...


def is_mean_of_images(fitness: Fitness) -> bool:
    """Whether fitness is the mean of a score that each image has, so that children can be compared image by image."""
    return hasattr(fitness, "scores")


def scores_of(fitness: Fitness, logits: Tensor, labels: Tensor) -> np.ndarray:
    """float64 [n]: every image's own score, whose mean over all images is the fitness.

    Args:
        fitness: one that ``is_mean_of_images``, so it has ``scores(logits, labels)``.
    """
    scores = fitness.scores(logits, labels)  # type: ignore[attr-defined]
    return np.asarray(scores, dtype=np.float64)


@dataclass(frozen=True)
class Metrics:
    """The figures reported for one model on one split; top1 and top5 are fractions, nll is in nats."""

    n: int
    top1: float
    top5: float
    nll: float
    ece: float | None = None
    brier: float | None = None

    def to_dict(self) -> dict[str, float | int | None]:
        return {
            key: (None if isinstance(value, float) and not math.isfinite(value) else value)
            for key, value in asdict(self).items()
        }


def merge_shards(rows: np.ndarray) -> np.ndarray:
    """Adds float64 [shards, width] in shard order, one after the other (never pairwise)."""
    total: np.ndarray = rows[0].copy()
    for row in rows[1:]:
        total += row
    return total


def metrics_of(total: np.ndarray, ece: float | None = None) -> Metrics:
    """Fractions and means from a merged vector."""
    count, top1, top5, _, nll = (float(value) for value in total[: len(COLUMNS)])
    return Metrics(n=int(count), top1=top1 / count, top5=top5 / count, nll=nll / count, ece=ece)
