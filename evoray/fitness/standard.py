"""The fitnesses that the common columns already hold."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from evoray.fitness.base import COLUMNS


class ColumnMean:
    """The mean of one column over the images, with a sign that makes higher better."""

    width = 0

    def __init__(self, name: str, sign: int) -> None:
        self.name = name
        self._column = COLUMNS.index(name)
        self._sign = sign

    def sums(self, logits: Tensor, labels: Tensor) -> np.ndarray:
        return np.zeros(0)

    def value(self, total: np.ndarray) -> float:
        return self._sign * float(total[self._column] / total[0])
