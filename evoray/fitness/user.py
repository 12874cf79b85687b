"""A user's own measure, differentiable or not.

Either a function of the task's ``(outputs, targets)`` (for image classification: logits [n, C] float32 and labels [n]
int64) that returns one score a record (tensor [n]), or a single number that is taken as the mean score of those
records; higher is better, and fitness is the mean over all records. A measure that is no mean of records (macro-F1,
worst class) gives an object with two methods instead: ``sums(outputs, targets) -> tensor [width]``, added over shards,
and ``value(sums) -> float``.
"""

import inspect
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from evoray.errors import ConfigError
from evoray.fitness.scores import mean_of_own
from evoray.tasks.base import Measure, Outputs
from evoray.tasks.sums import SumsLayout

SCORES = "one score a record (a tensor [n]), or one number"


class AnswerError(ValueError):
    """What a user's function returned is no score."""


class MeanScore:
    """Mean of a user's score a record."""

    compared = None

    def __init__(self, name: str, columns: tuple[str, ...], function: Callable[[Outputs, Tensor], Any]) -> None:
        self.name, self.measure, self.layout = name, _measure(name), SumsLayout(columns, own=1)
        self._function = function

    def sums(self, outputs: Outputs, targets: Tensor) -> np.ndarray:
        scores = self._called(outputs, targets)
        if scores.ndim == 0:
            return np.array([float(scores) * len(targets)])
        if scores.shape != (len(targets),):
            raise AnswerError(_wrong_shape(self.name, scores, len(targets)))
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

    def answer(self, outputs: Outputs, targets: Tensor) -> Tensor:
        """What it gives for these records, float64 [n] or []; AnswerError where that is no score."""
        scores = self._called(outputs, targets)
        if scores.ndim and scores.shape != (len(targets),):
            raise AnswerError(_wrong_shape(self.name, scores, len(targets)))
        return scores

    def _called(self, outputs: Outputs, targets: Tensor) -> Tensor:
        """What the function says, float64 on the CPU."""
        return _numbers(self.name, self._function(outputs, targets), SCORES)


class MergeableScore:
    """A user's object with ``width``, ``sums`` and ``value``."""

    scores = compared = None

    def __init__(self, name: str, columns: tuple[str, ...], measure: Any) -> None:
        self.name, self.measure, self.layout = name, _measure(name), SumsLayout(columns, own=int(measure.width))
        self._mergeable = measure

    def sums(self, outputs: Outputs, targets: Tensor) -> np.ndarray:
        wanted = f"a tensor of its width, [{self.layout.own}]"
        sums = _numbers(f"{self.name}.sums", self._mergeable.sums(outputs, targets), wanted).numpy()
        if sums.shape != (self.layout.own,):
            raise AnswerError(f"{self.name}.sums returned shape {sums.shape}, its width says ({self.layout.own},)")
        return np.asarray(sums, dtype=np.float64)

    def value(self, total: np.ndarray) -> float:
        return self._number(self.layout.of_fitness(total))

    def answer(self, outputs: Outputs, targets: Tensor) -> Tensor:
        """The number it makes of these records, float64 []; AnswerError where that is none."""
        return torch.tensor(self._number(self.sums(outputs, targets)), dtype=torch.float64)

    def _number(self, sums: np.ndarray) -> float:
        answer = self._mergeable.value(sums)
        try:
            return float(answer)
        except (TypeError, ValueError, RuntimeError):
            raise AnswerError(_no_score(f"{self.name}.value", answer, "one number")) from None


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


def _numbers(name: str, answer: Any, wanted: str) -> Tensor:
    """What a user's function returned, float64 on the CPU; AnswerError where it is no numbers."""
    try:
        found = torch.as_tensor(answer).detach()
    except (TypeError, ValueError, RuntimeError):
        found = None
    if found is None or found.is_complex():
        raise AnswerError(_no_score(name, answer, wanted))
    return found.double().cpu()


def _no_score(name: str, answer: Any, wanted: str) -> str:
    kind = "None" if answer is None else f"a {type(answer).__name__}"
    lost = "It may end without a return: return" if answer is None else "Return"
    return f"{name} returned {kind}, which is no number. {lost} {wanted}"


def _wrong_shape(name: str, scores: Tensor, records: int) -> str:
    return f"{name} returned shape {tuple(scores.shape)} for {records} records: return {SCORES}"


def _measure(name: str) -> Measure:
    """A user's own is called what the function is called; higher is better, and it has no unit."""
    own = name.rpartition(":")[2]
    return Measure(f"Fitness ({own})", "", True, own, own)
