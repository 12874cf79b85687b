"""Fitnesses made of what happened to each class: whole-number counts, so any sharding gives the same bits."""

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from evoray.tasks.base import Classification, Measure, Outputs
from evoray.tasks.sums import SumsLayout


def class_of(numbers: Tensor, classes: int, outputs: Sequence[int] | None) -> Tensor:
    """int64 [n]: the data's class of each output; ``classes`` (none of them) for an output that is no class.

    Args:
        outputs: the output of each class; None where class i is output i.
    """
    if outputs is None:
        return numbers.clamp(max=classes)
    known = torch.full((max(outputs) + 2,), classes, dtype=torch.int64)
    known[list(outputs)] = torch.arange(classes)
    return known.to(numbers.device)[numbers.clamp(max=max(outputs) + 1)]


def class_counts(answers: Tensor, targets: Tensor, classes: int, outputs: Sequence[int] | None = None) -> np.ndarray:
    """float64 [3 * classes]: of each class how many records there are, how many are right, how often it is answered.

    An answer that is none of the ``classes`` (a network may know more than the data has) is wrong, and nobody's: it
    counts against the recall of the record's own class and against no other. So however a network numbers its outputs,
    the counts are the same.

    Args:
        answers, targets: outputs of the network, int64 [n]. outputs: as for ``class_of``.
    """
    answers, targets = (class_of(one, classes, outputs) for one in (answers, targets))
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


OF_COUNTS: Mapping[str, Callable[[np.ndarray], float]] = {
    "balanced-accuracy": balanced_accuracy,
    "macro-f1": macro_f1,
    "worst-class": worst_class,
}
"""What is made of every class's counts, [3, classes]; higher is better."""


class PerClass:
    """A number made of each class's counts, [3, classes]: see ``class_counts``."""

    scores = compared = None

    def __init__(
        self,
        name: str,
        measure: Measure,
        columns: tuple[str, ...],
        classification: Classification,
        classes: int,
        number: Callable[[np.ndarray], float],
        outputs: Sequence[int] | None = None,
    ) -> None:
        self.name, self.measure, self.layout = name, measure, SumsLayout(columns, own=3 * classes)
        self._classification, self._classes, self._number = classification, classes, number
        self._outputs = outputs

    def sums(self, outputs: Outputs, targets: Tensor) -> np.ndarray:
        return class_counts(self._classification.answers(outputs), targets, self._classes, self._outputs)

    def value(self, total: np.ndarray) -> float:
        return self._number(self.layout.of_fitness(total).reshape(3, self._classes))
