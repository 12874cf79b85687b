"""A child that every weight of a space takes part in, cheap to draw: what a network is tried with before a run."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any, ClassVar, Self

import numpy as np

from evoray.mutation import Entry, Recipe, Space
from evoray.mutation.partition import PartitionConfig

PERIOD = 65_537
"""Normal numbers that are drawn; they repeat along the space."""
UNSCALED = 0.02
"""Step of a tensor whose scale is zero, since all of it is."""


class Probe(Recipe):
    """Adds ``sigma`` of each tensor's scale times noise to all of its weights; within: of these tensors alone."""

    Section: ClassVar[type[PartitionConfig]] = PartitionConfig

    kind: str = "probe"
    sigma: float
    within: tuple[int, ...] | None = None

    @classmethod
    def draw(cls, config: Any, sigma: float, seed: int, generation: int, child: int) -> Self:
        return cls(sigma=sigma)

    def at_most(self, space: Space) -> int:
        return space.n

    def delta(self, space: Space, start: int, stop: int) -> tuple[np.ndarray, np.ndarray]:
        indices = np.arange(start, stop)
        noise = np.resize(np.roll(_noise(), -start), stop - start)  # as of noise[indices % PERIOD], without an index
        scales = np.where(space.scales > 0, space.scales, np.float32(UNSCALED)) * np.float32(self.sigma)
        if self.within is not None:
            chosen = np.zeros(len(space.tensors), dtype=bool)
            chosen[list(self.within)] = True
            inside = space.per_coordinate(chosen, indices)
            indices, noise = indices[inside], noise[inside]
        return indices, noise * space.per_coordinate(scales, indices)


@cache
def _noise() -> np.ndarray:
    return np.random.default_rng(0).standard_normal(PERIOD, dtype=np.float32)


def probe(sigma: float, within: Sequence[int] | None = None) -> tuple[Entry, ...]:
    """As the tail of a child."""
    return (Entry(1.0, Probe(sigma=sigma, within=None if within is None else tuple(within))),)
