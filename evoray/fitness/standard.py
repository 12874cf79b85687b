"""The fitnesses that the common columns already hold."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from evoray.fitness.base import COLUMNS
from evoray.fitness.per_image import score_images


class ColumnMean:
    """The mean of one column over the images, with a sign that makes higher better."""

    width = 0

    def __init__(self, name: str, sign: int) -> None:
        self.name = name
        self._column = COLUMNS.index(name)
        self._sign = sign

    def sums(self, logits: Tensor, labels: Tensor) -> np.ndarray:
        return np.zeros(0)

    def scores(self, logits: Tensor, labels: Tensor) -> np.ndarray:
        """float64 [n]: the column's own value of each image."""
        images = score_images(logits, labels)
        if self.name == "nll":
            return self._sign * images.nll
        return self._sign * (images.rank < (1 if self.name == "top1" else 5)).astype(np.float64)

    def value(self, total: np.ndarray) -> float:
        return self._sign * float(total[self._column] / total[0])
