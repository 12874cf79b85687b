"""Deltas, and the NumPy reference of a lineage's arithmetic: every product and sum rounded to float32."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from torch import Tensor

from evoray.mutation.recipe import Entry, Mutation
from evoray.mutation.space import Space


def delta(space: Space, mutation: Mutation) -> tuple[np.ndarray, np.ndarray]:
    """(indices int64 [m], delta float32 [m]) of one mutation, in O(n / parts + tensors)."""
    indices = mutation.indices(space.n)
    values = mutation.noise(space.n)
    amplitude = np.float32(mutation.sign) * (np.float32(mutation.sigma) * space.scales)
    values *= space.per_coordinate(amplitude, indices)
    return indices, values


def weighted_delta(space: Space, entry: Entry) -> tuple[np.ndarray, np.ndarray]:
    """The same times the entry's weight, rounded to float32 once more."""
    indices, values = delta(space, entry.mutation)
    if entry.weight != 1.0:
        values *= np.float32(entry.weight)
    return indices, values


def apply_lineage(flat: np.ndarray, space: Space, entries: Iterable[Entry]) -> np.ndarray:
    """Adds entry after entry to ``flat`` (float32 [n], written in place and returned)."""
    for entry in entries:
        indices, values = weighted_delta(space, entry)
        if entry.mutation.parts == 1:
            flat += values
        else:
            flat[indices] += values
    return flat


def add_delta_(flat: Tensor, indices: Tensor, values: Tensor) -> Tensor:
    """The same sum by torch, in place on any device: flat float32 [n], indices int64 [m], values float32 [m].

    Each index occurs once, so there is one addition and one rounding a coordinate, whatever the order.
    """
    if flat.device.type == "cpu":
        return flat.index_add_(0, indices, values)
    # not index_add_: on CUDA it sorts the indices first when deterministic algorithms are asked for
    return flat.index_copy_(0, indices, flat.index_select(0, indices).add_(values))
