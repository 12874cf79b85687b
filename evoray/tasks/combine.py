"""The ensemble's prediction for some images, from its members' logits one after the other.

Float sums depend on their order, so members are added in a fixed one, in float64. What is held is a few arrays
[n, C], whatever the number of members.
"""

import math

import torch
from torch import Tensor

from evoray.errors import RunError
from evoray.tasks.base import Combiner
from evoray.tasks.class_scores import predicted_class


class RunningMean:
    """The mean of the members' probabilities (deep ensembles, Lakshminarayanan et al. 2017)."""

    def __init__(self) -> None:
        self._total: Tensor | None = None
        self._weight = 0.0

    def add(self, logits: Tensor, weight: float = 1.0) -> Tensor:
        """Adds a member's logits [n, C] (any float type) and returns the probabilities of the ensemble so far.

        Returns:
            float64 [n, C], the caller's own; rows sum to one, NaN where a member's logits are not finite.

        Raises:
            RunError: another shape than the members before, or a weight that is not positive.
        """
        _check_member(self._total, logits, weight)
        part = self._part(logits.double()).mul_(weight)
        self._total = part if self._total is None else self._total.add_(part)
        self._weight += weight
        return self.mean

    @property
    def mean(self) -> Tensor:
        assert self._total is not None, "add a member first"
        return self._total / self._weight

    def _part(self, logits: Tensor) -> Tensor:
        """What is averaged: memory of its own, float64 [n, C]."""
        return torch.softmax(logits, dim=1)


class LogMean(RunningMean):
    """The mean of the members' log-probabilities, normalised again: an answer that one of them rules out has little
    chance."""

    @property
    def mean(self) -> Tensor:
        return torch.softmax(super().mean, dim=1)

    def _part(self, logits: Tensor) -> Tensor:
        return torch.log_softmax(logits, dim=1)


class RunningVote:
    """Majority vote: each member gives its whole weight to one class.

    Vote shares alone would call a class without votes impossible, and leave equals to chance. So the mean of the
    members' probabilities has one member's voice as well: it breaks ties, and every class keeps a likelihood.
    """

    def __init__(self) -> None:
        self._mean = RunningMean()
        self._votes: Tensor | None = None
        self._weight = 0.0
        self._count = 0

    def add(self, logits: Tensor, weight: float = 1.0) -> Tensor:
        mean = self._mean.add(logits, weight)
        if self._votes is None:
            self._votes = torch.zeros_like(mean)
        answers = predicted_class(logits)
        known = answers < logits.shape[1]  # NaN logits vote for nothing; the mean shows them
        self._votes[known, answers[known]] += weight
        self._weight += weight
        self._count += 1
        voice = self._weight / self._count
        return (self._votes + voice * mean) / (self._weight + voice)

    @property
    def mean(self) -> Tensor:
        return self._mean.mean


def _check_member(total: Tensor | None, logits: Tensor, weight: float) -> None:
    if not (math.isfinite(weight) and weight > 0):
        raise RunError(f"ensemble: a member of weight {weight}; weights are positive, leave out who has none.")
    if total is not None and total.shape != logits.shape:
        raise RunError(
            f"ensemble: logits {tuple(logits.shape)} after {tuple(total.shape)}; "
            "members answer for the same images and classes."
        )


def make_combiner(method: str) -> Combiner:
    """For ``ensemble.method``: a vote for ``majority``, else the (weighted) mean."""
    return RunningVote() if method == "majority" else RunningMean()
