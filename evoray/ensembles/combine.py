"""The ensemble's prediction: the mean of its members' probabilities (deep ensembles, Lakshminarayanan et al. 2017).

Float sums depend on their order, so members are added in a fixed one, in float64.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from evoray.errors import RunError


class RunningMean:
    """Adds members one after the other; holds one sum, float64 [n, C], whatever the number of members."""

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
        if not (math.isfinite(weight) and weight > 0):
            raise RunError(f"ensemble: a member of weight {weight}; weights are positive, leave out who has none.")
        if self._total is not None and self._total.shape != logits.shape:
            raise RunError(
                f"ensemble: logits {tuple(logits.shape)} after {tuple(self._total.shape)}; "
                "members answer for the same images and classes."
            )
        part = torch.softmax(logits.double(), dim=1).mul_(weight)
        self._total = part if self._total is None else self._total.add_(part)
        self._weight += weight
        return self._total / self._weight
