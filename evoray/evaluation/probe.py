"""A child that every weight of a space takes part in, cheap to draw: what a network is tried with before a run."""

from collections.abc import Sequence
from functools import cache
from typing import Any, ClassVar, Self

import numpy as np

from evoray.evaluation.layout import CHUNK
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
        indices, values = self.between(space, start, stop)
        return indices + start, values

    def between(self, space: Space, start: int, stop: int) -> tuple[np.ndarray, np.ndarray]:
        """Written tensor by tensor, for noise that was just read is still at hand."""
        values = np.empty(stop - start, dtype=np.float32)
        scales = np.where(space.scales > 0, space.scales, np.float32(UNSCALED)) * np.float32(self.sigma)
        chosen = range(len(space.tensors)) if self.within is None else sorted(set(self.within))
        spans = []
        for number in chosen:
            low, high = max(start, int(space.offsets[number])), min(stop, int(space.offsets[number + 1]))
            if low < high:
                _scaled_noise(low, scales[number], values[low - start : high - start])
                spans.append((low - start, high - start))
        if self.within is None:
            return _counted(stop - start), values
        indices = np.concatenate([np.arange(0), *(np.arange(*span) for span in spans)])
        return indices, values[indices]


def _scaled_noise(start: int, scale: np.float32, found: np.ndarray) -> None:
    """The noise of the coordinates from ``start`` on, times a scale, written to ``found``."""
    noise, done = _noise(), 0
    while done < len(found):
        at = (start + done) % PERIOD
        count = min(PERIOD - at, len(found) - done)
        np.multiply(noise[at : at + count], scale, out=found[done : done + count])
        done += count


def _counted(count: int) -> np.ndarray:
    """0 … count - 1, to be read."""
    return _counting()[:count] if count <= CHUNK else np.arange(count)


@cache
def _counting() -> np.ndarray:
    return np.arange(CHUNK)


@cache
def _noise() -> np.ndarray:
    return np.random.default_rng(0).standard_normal(PERIOD, dtype=np.float32)


def probe(sigma: float, within: Sequence[int] | None = None) -> tuple[Entry, ...]:
    """As the tail of a child."""
    return (Entry(1.0, Probe(sigma=sigma, within=None if within is None else tuple(within))),)
