"""A user's own measure, differentiable or not.

Either a function of the task's ``(outputs, targets)`` (for image classification: logits [n, C] float32 and labels [n]
int64) that returns one score a record (tensor [n]), or a single number that is taken as the mean score of those
records; higher is better, and fitness is the mean over all records. A measure that is no mean of records (macro-F1,
worst class) gives an object with two methods instead: ``sums(outputs, targets) -> tensor [width]``, added over shards,
and ``value(sums) -> float``.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from evoray.errors import ConfigError
from evoray.fitness.base import Fitness
from evoray.fitness.constraints import Constrained
from evoray.fitness.scores import mean_of_own
from evoray.tasks.base import Measure, Outputs
from evoray.tasks.sums import SumsLayout


class MeanScore:
    """Mean of a user's score a record."""

    def __init__(self, name: str, columns: tuple[str, ...], function: Callable[[Outputs, Tensor], Any]) -> None:
        self.name, self.measure, self.layout = name, _measure(name), SumsLayout(columns, own=1)
        self._function = function

    def sums(self, outputs: Outputs, targets: Tensor) -> np.ndarray:
        scores = self._called(outputs, targets)
        if scores.ndim == 0:
            return np.array([float(scores) * len(targets)])
        if scores.shape != (len(targets),):
            raise ValueError(
                f"{self.name} returned shape {tuple(scores.shape)} for {len(targets)} records: "
                "return one score a record, or one number"
            )
        return np.array([math.fsum(scores.tolist())])

    def scores(self, outputs: Outputs, targets: Tensor) -> np.ndarray:
        """float64 [n]; ConfigError where the function gives one number for all of them (``check_scores``)."""
        scores = self._called(outputs, targets)
        if scores.shape != (len(targets),):
            raise ConfigError(
                f"fitness.name = {self.name!r}: returned shape {tuple(scores.shape)} for {len(targets)} records, and "
                'comparing children record by record (search.racing, mutation.sigma = "auto") needs one score a '
                "record. Return a tensor of them, or switch that off."
            )
        return scores.numpy()

    def value(self, total: np.ndarray) -> float:
        return mean_of_own(self.layout, total)

    def gives_one_number(self, outputs: Outputs, targets: Tensor) -> bool:
        """Whether it gives one number for all of these records, which a run can only average over its shards."""
        return self._called(outputs, targets).ndim == 0

    def _called(self, outputs: Outputs, targets: Tensor) -> Tensor:
        """What the function says, float64 on the CPU."""
        return torch.as_tensor(self._function(outputs, targets)).detach().double().cpu()


class MergeableScore:
    """A user's object with ``width``, ``sums`` and ``value``."""

    scores = None

    def __init__(self, name: str, columns: tuple[str, ...], measure: Any) -> None:
        self.name, self.measure, self.layout = name, _measure(name), SumsLayout(columns, own=int(measure.width))
        self._mergeable = measure

    def sums(self, outputs: Outputs, targets: Tensor) -> np.ndarray:
        sums = torch.as_tensor(self._mergeable.sums(outputs, targets)).detach().double().cpu().numpy()
        if sums.shape != (self.layout.own,):
            raise ValueError(f"{self.name}.sums returned shape {sums.shape}, its width says ({self.layout.own},)")
        return np.asarray(sums, dtype=np.float64)

    def value(self, total: np.ndarray) -> float:
        return float(self._mergeable.value(self.layout.of_fitness(total)))


def user_fitness(name: str, columns: tuple[str, ...], target: Any) -> MeanScore | MergeableScore:
    """Wraps what ``package.module:function`` names; ConfigError when it is neither form.

    Args:
        columns: the task's.
    """
    measure = target() if inspect.isclass(target) else target
    if {"width", "sums", "value"} <= set(dir(measure)):
        return MergeableScore(name, columns, measure)
    if callable(measure):
        return MeanScore(name, columns, measure)
    raise ConfigError(
        f"fitness.name = {name!r} is a {type(target).__name__}: name a function of (outputs, targets), "
        "or an object with width, sums(outputs, targets) and value(sums)."
    )


def gives_one_number(fitness: Fitness, outputs: Outputs, targets: Tensor) -> bool:
    """Whether a user's function gives one number for all of these records, whatever is wrapped around it."""
    inner = fitness.fitness if isinstance(fitness, Constrained) else fitness
    return isinstance(inner, MeanScore) and inner.gives_one_number(outputs, targets)


def _measure(name: str) -> Measure:
    """A user's own is called what the function is called; higher is better, and it has no unit."""
    own = name.rpartition(":")[2]
    return Measure(f"Fitness ({own})", "", True, own, own)
