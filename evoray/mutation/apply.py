"""Deltas, and the NumPy reference of a lineage's arithmetic: every product and sum rounded to float32."""

import logging
from collections.abc import Callable, Iterable, Iterator
from functools import cache

import numpy as np
import torch
from torch import Tensor

from evoray.mutation.recipe import Entry, Recipe
from evoray.mutation.space import Space

LOG = logging.getLogger("evoray")
BLOCK = 1 << 18
"""Changed weights drawn at once: 3 MB of indices and values."""


def delta(space: Space, mutation: Recipe, start: int = 0, stop: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """(indices int64 [m] sorted, float32 [m]): what a mutation adds to the coordinates start … stop - 1.

    The ranges of a space together are the whole, bit for bit, so that a dense mutation of a large network can be
    added in pieces.
    """
    return mutation.delta(space, start, space.n if stop is None else stop)


def weighted_delta(
    space: Space, entry: Entry, start: int = 0, stop: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """The same times the entry's weight, rounded to float32 once more."""
    indices, values = delta(space, entry.mutation, start, stop)
    if entry.weight != 1.0:
        values *= np.float32(entry.weight)
    return indices, values


def delta_blocks(space: Space, entry: Entry, weights: int = BLOCK) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """``weighted_delta`` in pieces of about so many changed weights, one after the other: O(weights) memory."""
    width = entry.mutation.width(space, weights)
    for start in range(0, space.n, width):
        yield weighted_delta(space, entry, start, min(start + width, space.n))


def delta_between(space: Space, entry: Entry, start: int, stop: int) -> tuple[np.ndarray, np.ndarray]:
    """The same of one range of coordinates; indices count from ``start``."""
    indices, values = entry.mutation.between(space, start, stop)
    if entry.weight != 1.0:
        values *= np.float32(entry.weight)
    return indices, values


def apply_lineage(flat: np.ndarray, space: Space, entries: Iterable[Entry]) -> np.ndarray:
    """Adds entry after entry to ``flat`` (float32 [n], written in place and returned)."""
    for entry in entries:
        indices, values = weighted_delta(space, entry)
        if len(indices) == space.n:  # every coordinate, in order
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
    """``flat[indices] = values`` where each index occurs once, in place on any device; all three are contiguous.

    The outcome is the same in any order, so on CUDA the sorting of ``index_copy_`` under deterministic algorithms is
    left out where Triton is there. Other threads may compute meanwhile: nothing of the process is changed for it.
    """
    if flat.device.type == "cuda" and torch.are_deterministic_algorithms_enabled():
        return _unsorted_write(flat.device)(flat, indices, values)
    return flat.index_copy_(0, indices, values)


@cache
def _unsorted_write(device: torch.device) -> Callable[[Tensor, Tensor, Tensor], Tensor]:
    """Chosen once for each device: the kernel if it runs there (it needs Triton, and a C compiler at its first launch),
    else PyTorch's own write, which sorts: the same bits, slower."""
    try:
        from evoray.mutation.scatter import copy_unique_

        probe = torch.zeros(2, device=device)
        copy_unique_(probe, torch.tensor([1], device=device), torch.ones(1, device=device))
        if probe.tolist() == [0.0, 1.0]:
            return copy_unique_
    except Exception as error:  # whatever a compiler or a driver raises: there is another way
        LOG.info("writes to the GPU sort their indices: Triton cannot be used (%s)", error)
    return lambda flat, indices, values: flat.index_copy_(0, indices, values)
