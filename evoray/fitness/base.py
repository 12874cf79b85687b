"""The extension point: a fitness adds sums a shard at a time, and turns their total into one number.

A shard's result is one float64 vector: the task's columns first, then what the fitness itself adds (``SumsLayout``).
Counts are whole numbers (exact in float64 up to 2**53), and vectors merge by addition in shard order, so the same
shards give the same bits whatever worker evaluated them and whenever they came.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

import numpy as np

from evoray.tasks.base import Figure, Figures, Measure, Outputs, Task
from evoray.tasks.sums import SumsLayout

if TYPE_CHECKING:
    from torch import Tensor

RecordScores = Callable[[Outputs, "Tensor"], np.ndarray]
"""float64 [n], higher is better: every record's own score, whose mean over all records is the fitness."""


class Fitness(Protocol):
    """Higher is better. ``sums`` and ``scores`` run on the workers, ``value`` on the driver."""

    name: str
    measure: Measure
    """Its label, unit and direction: ``value`` times ``measure.sign`` is what people are shown."""
    layout: SumsLayout
    """Of a row: the task's columns, and how many sums this fitness adds behind them."""

    def sums(self, outputs: Outputs, targets: Tensor) -> np.ndarray:
        """float64 [layout.own] of one shard: the task's outputs and targets of n records, on the worker's device."""
        ...

    def value(self, total: np.ndarray) -> float:
        """Fitness from a merged row, float64 [layout.width]; NaN where it is not defined."""
        ...

    @property
    def scores(self) -> RecordScores | None:
        """How children are compared record by record; None where the fitness is no mean of records."""
        ...

    @property
    def compared(self) -> RecordScores | None:
        """How they are where ``scores`` is None, to find sigma; None: by the task's first figure."""
        ...


def with_fitness(figures: Figures, fitness: Fitness, total: np.ndarray) -> Figures:
    """Figures with the fitness first, under its name and with its own sign, from a merged row [layout.width]."""
    own = figures.get(fitness.name) or Figure(as_known(fitness, fitness.value(total)), fitness.measure)
    return {fitness.name: own, **figures}


def as_known(fitness: Fitness, value: float) -> float:
    """A fitness in the direction in which people know its measure: a cost as a cost."""
    return fitness.measure.sign * value + 0.0  # and no -0


def record_scores(fitness: Fitness, task: Task, outputs: Outputs, targets: Tensor) -> np.ndarray:
    """float64 [n], higher is better: the fitness's own, or the task's where the fitness has none."""
    if (own := fitness.scores or fitness.compared) is not None:
        return np.asarray(own(outputs, targets), dtype=np.float64)
    assert task.scores is not None, "checked before the run"
    name = task.scored[0]
    return task.measures[name].sign * task.scores(outputs, targets)[name]
