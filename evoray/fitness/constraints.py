"""Conditions that a child must keep, whatever its fitness: ``top1 >= parent - 0.005``.

They are looked at on the merged sums of ``select``, beside the parent's sums on the same images. A child that breaks
one is told to the strategy like a failure, so it ranks behind all that keep them, and its status says which one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from torch import Tensor

from evoray.config import Constraint
from evoray.fitness.base import COLUMNS, Fitness
from evoray.fitness.per_class import balanced_accuracy, class_counts, macro_f1, worst_class

_ROUNDING = 1e-12
"""A child exactly on the bound keeps it, whatever the last bit of ``parent - 0.005``."""

_OF_COUNTS: Mapping[str, Callable[[np.ndarray], float]] = {
    "balanced-accuracy": balanced_accuracy,
    "macro-f1": macro_f1,
    "worst-class": worst_class,
}


class Constrained:
    """A fitness with constraints: adds each class's counts behind its sums, and knows what a child breaks."""

    def __init__(self, fitness: Fitness, constraints: tuple[Constraint, ...], classes: tuple[str, ...]) -> None:
        self.name = fitness.name
        self.width = fitness.width + 3 * len(classes)
        self._fitness, self._constraints, self._classes = fitness, constraints, classes

    def sums(self, logits: Tensor, labels: Tensor) -> np.ndarray:
        own = self._fitness.sums(logits, labels)
        return np.concatenate([own, class_counts(logits, labels, len(self._classes))])

    def value(self, total: np.ndarray) -> float:
        return self._fitness.value(total[: len(COLUMNS) + self._fitness.width])

    def broken(self, total: np.ndarray, parent: np.ndarray) -> str | None:
        """The first constraint that a child's merged sums break, with both numbers; None where all are kept."""
        for one in self._constraints:
            ours, theirs = self._measure(one.metric, total), self._measure(one.metric, parent)
            bound = one.bound + (theirs if one.relative else 0.0)
            over = (ours - bound) * (1 if one.at_least else -1) < -_ROUNDING
            if over.any():
                worst = int(np.argmax(over * np.abs(ours - bound)))
                where = f" for class {self._classes[worst]}" if one.metric == "class-accuracy" else ""
                return f"{one.text}{where}: {ours[worst]:.6g}, the parent has {theirs[worst]:.6g}"
        return None

    def _measure(self, metric: str, total: np.ndarray) -> np.ndarray:
        """float64 [1], or [classes] for class-accuracy, where a class without images is 0 for everyone."""
        if metric in COLUMNS:
            return np.array([total[COLUMNS.index(metric)] / total[0]])
        counts = total[len(COLUMNS) + self._fitness.width :].reshape(3, len(self._classes))
        if metric == "class-accuracy":
            present, right, _ = counts
            return np.asarray(right / np.maximum(present, 1))
        return np.array([_OF_COUNTS[metric](counts)])
