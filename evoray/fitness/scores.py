"""Means over images that the common columns do not hold: the Brier score, and a matrix of costs."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from evoray.fitness.base import COLUMNS
from evoray.fitness.per_image import brier, predicted_class


class Brier:
    """Minus the mean Brier score (Brier 1950): a proper score, so that it cannot be gamed as ECE alone can."""

    name, width = "brier", 1

    def sums(self, logits: Tensor, labels: Tensor) -> np.ndarray:
        return np.array([-math.fsum(self.scores(logits, labels))])

    def scores(self, logits: Tensor, labels: Tensor) -> np.ndarray:
        """float64 [n]: minus each image's Brier score."""
        return -brier(torch.log_softmax(logits.double(), dim=1), labels)

    def value(self, total: np.ndarray) -> float:
        return -float(total[len(COLUMNS)] / total[0])


class Cost:
    """Minus the mean cost of the answers: ``costs[true class][answer]``, float64 [classes, classes].

    An answer that is none of the classes costs as much as the dearest answer for that image's class.
    """

    name, width = "cost", 1

    def __init__(self, costs: np.ndarray) -> None:
        self._costs = torch.from_numpy(np.column_stack([costs, costs.max(axis=1)]))

    def sums(self, logits: Tensor, labels: Tensor) -> np.ndarray:
        return np.array([-math.fsum(self.scores(logits, labels))])

    def scores(self, logits: Tensor, labels: Tensor) -> np.ndarray:
        """float64 [n]: minus what each image's answer costs."""
        answers = predicted_class(logits).clamp(max=self._costs.shape[1] - 1)
        return -self._costs[labels.cpu(), answers.cpu()].double().numpy()

    def value(self, total: np.ndarray) -> float:
        return -float(total[len(COLUMNS)] / total[0])
