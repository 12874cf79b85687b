"""Answers of several members: what most of them say, record by record."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from evoray.errors import RunError
from evoray.tasks.generation.task import Answers


class Votes:
    """Each record's answer is the one that most members gave; of equals the one that the member named first gave.

    Members come in their order, the fittest first, and an answer's tokens and reward are those of the first member
    that gave it. What is compared is ``key``. A member whose scores were not finite (``reward`` is not) votes for
    nothing. Outputs of a task of one's own that are a named tuple with these two parts are voted on as well.
    """

    def __init__(self) -> None:
        self._members: list[Answers] = []
        self._weights: list[float] = []

    def add(self, outputs: Answers, weight: float = 1.0) -> Answers:
        """Adds a member; returns the ensemble's answers so far."""
        if not (math.isfinite(weight) and weight > 0):
            raise RunError(f"ensemble: a member of weight {weight}; weights are positive, leave out who has none.")
        self._members.append(outputs)
        self._weights.append(weight)
        winner = self._tally().argmax(dim=0)  # the first of equals
        rows = torch.arange(len(winner), device=winner.device)
        return type(outputs)(*(torch.stack(list(parts))[winner, rows] for parts in zip(*self._members, strict=True)))

    @property
    def votes(self) -> Tensor:
        """float64 [n]: weight of the members that gave the answer that won."""
        return self._tally().amax(dim=0).clamp(min=0)

    def _tally(self) -> Tensor:
        """float64 [members, n]: the weight behind each member's answer, its own among it."""
        keys = torch.stack([one.key for one in self._members])
        sound = torch.stack([one.reward.isfinite() for one in self._members])
        weights = torch.tensor(self._weights, dtype=torch.float64, device=keys.device)[:, None] * sound
        same = torch.stack([((keys == own) * weights).sum(dim=0) for own in keys])
        return torch.where(sound, same, -1.0)
