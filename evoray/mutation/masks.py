"""Masks of format 1: one coordinate of every stratum of K neighbours, K disjoint masks a seed."""

from __future__ import annotations

import numpy as np

from evoray.errors import LineageError
from evoray.mutation.streams import MASK, words32

_BLOCK = 32768
"""Strata worked on at once, so that the passes over them stay in the cache."""


def mask_indices(n: int, mask_seed: int, parts: int, part: int) -> np.ndarray:
    """Coordinates that one part owns, int64 and sorted, in O(n / parts).

    Element i belongs to stratum i. Only the last of the ``ceil(n / parts)`` strata can own a coordinate at or
    past n, which is dropped. Raises LineageError for an n, parts or part that format 1 does not know.
    """
    strata = _strata(n, parts, part)
    if parts == 1:
        return np.arange(n, dtype=np.int64)
    draws = words32(mask_seed, MASK, strata)
    indices = np.empty(strata, dtype=np.uint64)
    starts = np.arange(0, min(_BLOCK, strata) * parts, parts, dtype=np.uint64)
    for first in range(0, strata, _BLOCK):
        block = indices[first : first + _BLOCK]
        _offsets(draws[first : first + _BLOCK], parts, part, out=block)
        block += starts[: len(block)]
        block += np.uint64(first * parts)
    kept = strata - int(strata > 0 and int(indices[-1]) >= n)
    return indices[:kept].view(np.int64)


def mask_count(n: int, mask_seed: int, parts: int, part: int) -> int:
    """How many coordinates one part owns, in O(1): the last stratum alone can own none."""
    strata = _strata(n, parts, part)
    if n % parts == 0:
        return strata
    offset = np.empty(1, dtype=np.uint64)
    _offsets(words32(mask_seed, MASK, 1, start=strata - 1), parts, part, out=offset)
    return strata - int((strata - 1) * parts + int(offset[0]) >= n)


def _strata(n: int, parts: int, part: int) -> int:
    if n < 0 or not 1 <= parts <= 2**32 or not 0 <= part < parts:
        raise LineageError(
            f"no such mask: n = {n}, parts = {parts}, part = {part}. n is at least 0, parts from 1 to 2**32, "
            "part from 0 to parts - 1."
        )
    return -(-n // parts)


def _offsets(draws: np.ndarray, parts: int, part: int, out: np.ndarray) -> None:
    """``(((u * parts) >> 32) + part) mod parts`` for each drawn word u, into ``out`` (uint64)."""
    np.multiply(draws, np.uint64(parts), out=out)
    out >>= np.uint64(32)
    out += np.uint64(part)
    # the sum is below 2 * parts, and a difference below zero wraps round to more than that
    np.minimum(out, out - np.uint64(parts), out=out)
