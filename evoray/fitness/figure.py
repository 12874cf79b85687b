"""The fitnesses that a task's own sums already hold: one of its figures."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from evoray.fitness.base import RecordScores
from evoray.tasks.base import Outputs, Task
from evoray.tasks.sums import SumsLayout

if TYPE_CHECKING:
    from torch import Tensor


class FigureFitness:
    """A figure of the task, with a sign that makes higher better."""

    def __init__(self, task: Task, name: str) -> None:
        self.name, self.measure = name, task.measures[name]
        self.layout = SumsLayout(task.columns)
        self._task, self._sign = task, self.measure.sign

    def sums(self, outputs: Outputs, targets: Tensor) -> np.ndarray:
        return np.zeros(0)

    @property
    def scores(self) -> RecordScores | None:
        """The figure's value of each record, where records have one."""
        return self._scores if self.name in self._task.scored else None

    def value(self, total: np.ndarray) -> float:
        return self._sign * self._task.figures(self.layout.by_name(total))[self.name].value

    def _scores(self, outputs: Outputs, targets: Tensor) -> np.ndarray:
        assert self._task.scores is not None
        return self._sign * self._task.scores(outputs, targets)[self.name]
