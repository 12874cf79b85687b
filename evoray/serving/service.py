"""What a replica runs, as it is sent to it and as it is there."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from evoray.serving.metrics import Counts
from evoray.serving.plan import Limits, Plan

if TYPE_CHECKING:
    from evoray.serving.door import Door, Others, Predict
    from evoray.serving.predictor import Answer, Predictor


@dataclass(frozen=True)
class Service:
    """token: SHA-256 of what askers have to send; None lets everybody in."""

    plan: Plan
    limits: Limits = field(default_factory=Limits)
    token: bytes | None = None

    def open(self) -> Opened:
        """Builds the predictor, in the process that answers."""
        import torch

        from evoray.serving.predictor import Predictor

        torch.set_num_threads(self.plan.threads)
        return Opened(self, Predictor(self.plan))


@dataclass
class Opened:
    """A service in the process that answers."""

    service: Service
    predictor: Predictor
    counts: Counts = field(default_factory=Counts)

    def door(self, predict: Predict, others: Others) -> Door:
        from evoray.serving.door import Door

        return Door(self.predictor, predict, self.service.limits, self.service.token, self.counts, others)

    def answers(self, asked: Sequence[tuple[Any, int]]) -> list[Answer]:
        """A batch's: prepared records, and how many classes each is to have."""
        self.counts.batch(len(asked))
        records, top = zip(*asked, strict=True)
        found: list[Any] = self.predictor.answers(records, top)
        return found


def digest_of(token: str | None) -> bytes | None:
    """How a token is kept: as its SHA-256."""
    return None if token is None else hashlib.sha256(token.encode()).digest()
