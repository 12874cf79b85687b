"""A user's own measure, differentiable or not.

Either a function of ``(logits [n, C] float32, labels [n] int64)`` that returns one score an image (tensor [n]),
or a single number that is taken as the mean score of those images; higher is better, and fitness is the mean over
all images. A measure that is no mean of images (macro-F1, worst class) gives an object with two methods instead:
``sums(logits, labels) -> tensor [width]``, added over shards, and ``value(sums) -> float``.
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
from evoray.fitness.base import COLUMNS


class MeanScore:
    """Mean of a user's per-image score."""

    width = 1

    def __init__(self, name: str, function: Callable[[Tensor, Tensor], Any]) -> None:
        self.name = name
        self._function = function

    def sums(self, logits: Tensor, labels: Tensor) -> np.ndarray:
        scores = torch.as_tensor(self._function(logits, labels)).detach().double().cpu()
        if scores.ndim == 0:
            return np.array([float(scores) * len(labels)])
        if scores.shape != labels.shape:
            raise ValueError(
                f"{self.name} returned shape {tuple(scores.shape)} for {len(labels)} images: "
                "return one score an image, or one number"
            )
        return np.array([math.fsum(scores.tolist())])

    def scores(self, logits: Tensor, labels: Tensor) -> np.ndarray:
        """float64 [n]; ValueError where the function gives one number for all of them."""
        scores = torch.as_tensor(self._function(logits, labels)).detach().double().cpu()
        if scores.shape != labels.shape:
            raise ValueError(
                f"{self.name} returned shape {tuple(scores.shape)} for {len(labels)} images: comparing children image "
                'by image (search.racing, sigma = "auto") needs one score an image'
            )
        return scores.numpy()

    def value(self, total: np.ndarray) -> float:
        return float(total[len(COLUMNS)] / total[0])


class MergeableScore:
    """A user's object with ``width``, ``sums`` and ``value``."""

    def __init__(self, name: str, measure: Any) -> None:
        self.name = name
        self.width = int(measure.width)
        self._measure = measure

    def sums(self, logits: Tensor, labels: Tensor) -> np.ndarray:
        sums = torch.as_tensor(self._measure.sums(logits, labels)).detach().double().cpu().numpy()
        if sums.shape != (self.width,):
            raise ValueError(f"{self.name}.sums returned shape {sums.shape}, its width says ({self.width},)")
        return np.asarray(sums, dtype=np.float64)

    def value(self, total: np.ndarray) -> float:
        return float(self._measure.value(total[len(COLUMNS) :]))


def user_fitness(name: str, target: Any) -> MeanScore | MergeableScore:
    """Wraps what ``package.module:function`` names; ConfigError when it is neither form."""
    measure = target() if inspect.isclass(target) else target
    if all(hasattr(measure, part) for part in ("width", "sums", "value")):
        return MergeableScore(name, measure)
    if callable(measure):
        return MeanScore(name, measure)
    raise ConfigError(
        f"fitness.name = {name!r} is a {type(target).__name__}: name a function of (logits, labels), "
        "or an object with width, sums(logits, labels) and value(sums)."
    )
