"""Fitnesses made of what happened to each class: whole-number counts, so any sharding gives the same bits."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from evoray.tasks.base import Classification, Outputs
from evoray.tasks.sums import SumsLayout


def class_counts(answers: Tensor, targets: Tensor, classes: int) -> np.ndarray:
    """float64 [3 * classes]: of each class how many records there are, how many are right, how often it is answered.

    An answer that is none of the ``classes`` (a network may know more than the data has) is wrong, and nobody's.
    """
    right = targets[answers == targets]
    known = answers[answers < classes]
    counts = [torch.bincount(one, minlength=classes)[:classes] for one in (targets, right, known)]
    return torch.cat(counts).double().cpu().numpy()


def balanced_accuracy(counts: np.ndarray) -> float:
    """Mean recall of the classes that have records (Brodersen et al. 2010); NaN without any."""
    present, right, _ = counts
    return float(np.mean(right[present > 0] / present[present > 0])) if present.any() else math.nan


def worst_class(counts: np.ndarray) -> float:
    """Recall of the class that fares worst, of those that have records."""
    present, right, _ = counts
    return float(np.min(right[present > 0] / present[present > 0])) if present.any() else math.nan


def macro_f1(counts: np.ndarray) -> float:
    """Mean over classes of 2 TP / (2 TP + FP + FN); a class without records or answers does not count."""
    present, right, answered = counts
    some = present + answered > 0
    return float(np.mean(2 * right[some] / (present + answered)[some])) if some.any() else math.nan


class PerClass:
    """A number made of each class's counts, [3, classes]: see ``class_counts``."""

    scores = None

    def __init__(
        self,
        name: str,
        columns: tuple[str, ...],
        classification: Classification,
        classes: int,
        number: Callable[[np.ndarray], float],
    ) -> None:
        self.name, self.layout = name, SumsLayout(columns, own=3 * classes)
        self._classification, self._classes, self._number = classification, classes, number

    def sums(self, outputs: Outputs, targets: Tensor) -> np.ndarray:
        return class_counts(self._classification.answers(outputs), targets, self._classes)

    def value(self, total: np.ndarray) -> float:
        return self._number(self.layout.of_fitness(total).reshape(3, self._classes))
