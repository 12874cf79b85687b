"""Means over records of a classification that the task's columns do not hold: Brier score, and a matrix of costs."""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from evoray.fitness.base import RecordScores
from evoray.fitness.per_class import class_of
from evoray.tasks.base import Classification, Measure, Outputs
from evoray.tasks.class_scores import brier
from evoray.tasks.classes import CALIBRATION
from evoray.tasks.sums import SumsLayout


class MinusMean(ABC):
    """Minus the mean of what each record costs."""

    compared: RecordScores | None = None

    def __init__(self, columns: tuple[str, ...], classes: Classification) -> None:
        self.layout, self._classes = SumsLayout(columns, own=1), classes

    def sums(self, outputs: Outputs, targets: Tensor) -> np.ndarray:
        return np.array([-math.fsum(self.scores(outputs, targets))])

    @abstractmethod
    def scores(self, outputs: Outputs, targets: Tensor) -> np.ndarray:
        """float64 [n]: minus each record's cost."""

    def value(self, total: np.ndarray) -> float:
        return -mean_of_own(self.layout, total)


class Brier(MinusMean):
    """Minus the mean Brier score (Brier 1950): a proper score, so that it cannot be gamed as ECE alone can."""

    name = "brier"
    measure = CALIBRATION["brier"]

    def scores(self, outputs: Outputs, targets: Tensor) -> np.ndarray:
        """float64 [n]: minus each record's Brier score."""
        return -brier(self._classes.log_probabilities(outputs), targets)


class Cost(MinusMean):
    """Minus the mean cost of the answers: ``costs[true class][answer]``, float64 [classes, classes].

    Classes are the data's, in their order, whatever output each of them is. An answer that is none of them costs as
    much as the dearest answer for that record's class.
    """

    name = "cost"
    measure = Measure("Cost", "per image", False, "Cost")

    def __init__(
        self, columns: tuple[str, ...], classes: Classification, costs: np.ndarray, outputs: Sequence[int] | None = None
    ) -> None:
        super().__init__(columns, classes)
        self._outputs = outputs
        self._costs = torch.from_numpy(np.column_stack([costs, costs.max(axis=1)]))

    def scores(self, outputs: Outputs, targets: Tensor) -> np.ndarray:
        """float64 [n]: minus what each record's answer costs."""
        answers = class_of(self._classes.answers(outputs).cpu(), len(self._costs), self._outputs)
        return -self._costs[class_of(targets.cpu(), len(self._costs), self._outputs), answers].double().numpy()


def mean_of_own(layout: SumsLayout, total: np.ndarray) -> float:
    """The one sum that a fitness adds, over the records."""
    (own,) = layout.of_fitness(total)
    return float(own / layout.column(total, "n"))
