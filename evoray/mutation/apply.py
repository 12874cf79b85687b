"""Deltas, and the NumPy reference of a lineage's arithmetic: every product and sum rounded to float32."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import torch
from torch import Tensor

from evoray.mutation.masks import strata_of
from evoray.mutation.recipe import Entry, Mutation
from evoray.mutation.space import Space

BLOCK = 1 << 18
"""Strata drawn at once: 3 MB of indices and values."""


def delta(space: Space, mutation: Mutation, first: int = 0, count: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """(indices int64 [m], delta float32 [m]) of one mutation, in O(m + tensors).

    With ``first`` or ``count``: of that many strata only, so that a dense mutation of a large network can be
    added in pieces. The pieces together are the whole, bit for bit.
    """
    indices = mutation.indices(space.n, first, count)
    values = mutation.noise(space.n, first, count)
    amplitude = np.float32(mutation.sign) * (np.float32(mutation.sigma) * space.scales)
    values *= space.per_coordinate(amplitude, indices)
    return indices, values


def weighted_delta(
    space: Space, entry: Entry, first: int = 0, count: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """The same times the entry's weight, rounded to float32 once more."""
    indices, values = delta(space, entry.mutation, first, count)
    if entry.weight != 1.0:
        values *= np.float32(entry.weight)
    return indices, values


def delta_blocks(space: Space, entry: Entry, strata: int = BLOCK) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """``weighted_delta`` in pieces of so many strata, one after the other: O(strata) memory."""
    for first in range(0, strata_of(space.n, entry.mutation.parts), strata):
        yield weighted_delta(space, entry, first, strata)


def delta_between(space: Space, entry: Entry, start: int, stop: int) -> tuple[np.ndarray, np.ndarray]:
    """What an entry adds to the coordinates start … stop - 1; indices count from ``start``."""
    parts = entry.mutation.parts
    first = start // parts
    indices, values = weighted_delta(space, entry, first, strata_of(stop, parts) - first)
    inside = slice(*np.searchsorted(indices, (start, stop)))
    return indices[inside] - start, values[inside]


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
    if len(indices) == len(flat):  # every coordinate, in order
        return flat.add_(values)
    if flat.device.type == "cpu":
        return flat.index_add_(0, indices, values)
    return put_(flat, indices, flat.index_select(0, indices).add_(values))


def put_(flat: Tensor, indices: Tensor, values: Tensor) -> Tensor:
    """``flat[indices] = values`` where each index occurs once, in place on any device.

    On CUDA every such write sorts its indices first while deterministic algorithms are asked for. No index occurs
    twice here, so the outcome is the same in any order, and the sorting is left out.
    """
    if flat.device.type == "cpu":
        return flat.index_copy_(0, indices, values)
    asked = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(False)
    try:
        return flat.index_copy_(0, indices, values)
    finally:
        torch.use_deterministic_algorithms(asked)
