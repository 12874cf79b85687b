"""Work of known cost: a unit waits as long as evaluating its children would take. What a scheduler is measured with.

Imports neither torch nor ray and holds no model, so that many workers fit on few cores. The driver's side of a unit
is the real one; what it carries is a number a child, as a recipe's noise seed is.
"""

from __future__ import annotations

import time
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from evoray.backends.base import WorkerState

ROW = 5
"""Sums of a child on a shard (five columns, as image classification has)."""


@dataclass(frozen=True)
class Sleeper(WorkerState):
    """What a worker 'evaluates' with, and the source that builds it.

    seconds: of one child on one shard. logits_bytes: returned beside a unit's sums, as if logits left the worker.
    """

    paths: ClassVar[tuple[str, ...]] = ()
    device: ClassVar[str] = "cpu"
    threads: ClassVar[int | None] = None

    seconds: float
    logits_bytes: int = 0

    @property
    def key(self) -> str:
        return repr(self)

    def settings(self) -> AbstractContextManager[None]:
        return nullcontext()

    def build(self, bulk: Any) -> Sleeper:
        return self


@dataclass(frozen=True)
class SleepUnit:
    """Children (their numbers and noise seeds) on one shard."""

    shard: int
    children: tuple[int, ...]
    seeds: tuple[int, ...]

    def run(self, sleeper: Sleeper) -> list[tuple[np.ndarray, bytes]]:
        """(float64 [ROW], logits) a child; the logits come with the first."""
        time.sleep(sleeper.seconds * len(self.children))
        row = np.array([1024.0, 700.0, 900.0, 0.0, 1e3])
        return [
            (row + child, bytes(sleeper.logits_bytes) if place == 0 else b"")
            for place, child in enumerate(self.children)
        ]


def sleep_unit(shard: int, children: tuple[int, ...]) -> SleepUnit:
    return SleepUnit(shard, children, tuple(hash((shard, child)) & (2**64 - 1) for child in children))
