"""Conditions that a child must keep, whatever its fitness: ``top1 >= parent - 0.005``.

They are looked at on the merged sums of ``select``, beside the parent's sums on the same records, and name a figure of
the task or a measure made of each class's counts. A child that breaks one is told to the strategy like a failure, so
it ranks behind all that keep them, and its status says which one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from evoray.config import Constraint
from evoray.fitness.base import Fitness
from evoray.fitness.per_class import OF_COUNTS, class_counts
from evoray.tasks.base import Outputs, Task

if TYPE_CHECKING:
    from torch import Tensor
from evoray.tasks.base import Measure

_ROUNDING = 1e-12
"""A child exactly on the bound keeps it, whatever the last bit of ``parent - 0.005``."""

_EACH_CLASS = "class-accuracy"


def constrainable(task: Task) -> tuple[str, ...]:
    """What a constraint may name: the task's figures, and what is made of counts where outputs are classes."""
    return (*task.measures, *((*OF_COUNTS, _EACH_CLASS) if task.classification is not None else ()))


class Constrained:
    """A fitness with constraints: adds each class's counts behind its sums, and knows what a child breaks."""

    scores = None
    """Whether a child keeps its constraints is known of all records together only."""

    def __init__(
        self,
        task: Task,
        fitness: Fitness,
        constraints: tuple[Constraint, ...],
        classes: tuple[str, ...],
        outputs: Sequence[int] | None = None,
    ) -> None:
        self.name, self.measure, self.fitness, self._outputs = fitness.name, fitness.measure, fitness, outputs
        self.compared = fitness.compared
        self._task, self._constraints, self._classes = task, constraints, classes
        counts = 0 if task.classification is None else 3 * len(classes)
        self.layout = replace(fitness.layout, own=fitness.layout.own + counts)

    def sums(self, outputs: Outputs, targets: Tensor) -> np.ndarray:
        own = self.fitness.sums(outputs, targets)
        if self._task.classification is None:
            return own
        answers = self._task.classification.answers(outputs)
        return np.concatenate([own, class_counts(answers, targets, len(self._classes), self._outputs)])

    def value(self, total: np.ndarray) -> float:
        return self.fitness.value(self.fitness.layout.plain(total))

    def broken(self, total: np.ndarray, parent: np.ndarray) -> str | None:
        """The first constraint that a child's merged sums break, with both numbers; None where all are kept."""
        for one in self._constraints:
            ours, theirs = self._measure(one.metric, total), self._measure(one.metric, parent)
            bound = one.bound + (theirs if one.relative else 0.0)
            over = (ours - bound) * (1 if one.at_least else -1) < -_ROUNDING
            if over.any():
                worst = int(np.argmax(over * np.abs(ours - bound)))
                where = f" for class {self._classes[worst]}" if one.metric == _EACH_CLASS else ""
                return f"{one.text}{where}: {ours[worst]:.6g}, the parent has {theirs[worst]:.6g}"
        return None

    def broken_by_parent(self, parent: np.ndarray) -> str | None:
        """What is to be said where the parent's own sums break a constraint."""
        broken = self.broken(parent, parent)
        if broken is None:
            return None
        return (
            f"the parent itself breaks fitness.constraints ({broken.rpartition(', the parent has')[0]}): a child that "
            "does not better it that far ranks last, like one that failed. Constraints are for what a parent has and a "
            'child must keep, such as "top1 >= parent - 0.005".'
        )

    def _measure(self, metric: str, total: np.ndarray) -> np.ndarray:
        """float64 [1], or [classes] for class-accuracy, where a class without records is 0 for everyone."""
        if metric in self._task.measures:
            return np.array([self._task.figures(self.layout.by_name(total))[metric].value])
        counts = self.layout.of_fitness(total)[self.fitness.layout.own :].reshape(3, len(self._classes))
        if metric == _EACH_CLASS:
            present, right, _ = counts
            return np.asarray(right / np.maximum(present, 1))
        return np.array([OF_COUNTS[metric](counts)])


FRACTION = Measure("", "fraction", True, "")
"""What is made of each class's counts."""


def fault(constraint: Constraint, measure: Measure = FRACTION) -> str | None:
    """What is wrong with a constraint on a figure, with the remedy; None where it may be meant."""
    metric, bound = constraint.metric, constraint.bound
    if constraint.at_least != (measure.sign > 0):
        better, sign = ("higher", ">=") if measure.sign > 0 else ("lower", "<=")
        right = f"{metric} {sign} {constraint.text.partition('=')[2].strip()}"
        return f'{better} is better, so it asks children to be worse. Write "{right}"'
    if not measure.is_fraction:
        never = not constraint.relative and bound < 0 and measure.unit.startswith("nats")
        return f"no network is below 0. Raise {bound:g}" if never else None
    if abs(bound) > 1:
        percent = f"; {abs(bound):g}% is {abs(bound) / 100:g}" if abs(bound) <= 100 else ""
        return f"{metric} is a fraction, from 0 to 1{percent}"
    return f"every network keeps it, {metric} is never below 0" if bound < 0 and not constraint.relative else None
