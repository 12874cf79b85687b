"""Masks of format 1: one coordinate of every stratum of K neighbours, K disjoint masks a seed."""

import numpy as np

from evoray.errors import LineageError
from evoray.mutation.streams import MASK, words32

_BLOCK = 32768
"""Strata worked on at once, so that the passes over them stay in the cache."""


def mask_indices(n: int, mask_seed: int, parts: int, part: int, first: int = 0, count: int | None = None) -> np.ndarray:
    """Coordinates that one part owns, int64 and sorted, in O(n / parts).

    Element i belongs to stratum ``first + i``; ``count`` strata are drawn, or all that follow. Only the last of the
    ``ceil(n / parts)`` strata can own a coordinate at or past n, which is dropped. Raises LineageError for an n,
    parts or part that format 1 does not know.
    """
    strata = strata_of(n, parts, part)
    count = strata - first if count is None else min(count, strata - first)
    if parts == 1:
        return np.arange(first, first + count, dtype=np.int64)
    draws = words32(mask_seed, MASK, count, start=first)
    indices = np.empty(count, dtype=np.uint64)
    starts = np.arange(0, min(_BLOCK, count) * parts, parts, dtype=np.uint64)
    for done in range(0, count, _BLOCK):
        block = indices[done : done + _BLOCK]
        _offsets(draws[done : done + _BLOCK], parts, part, out=block)
        block += starts[: len(block)]
        block += np.uint64((first + done) * parts)
    kept = count - int(count > 0 and int(indices[-1]) >= n)
    return indices[:kept].view(np.int64)


def mask_count(n: int, mask_seed: int, parts: int, part: int) -> int:
    """How many coordinates one part owns, in O(1): the last stratum alone can own none."""
    strata = strata_of(n, parts, part)
    if n % parts == 0:
        return strata
    offset = np.empty(1, dtype=np.uint64)
    _offsets(words32(mask_seed, MASK, 1, start=strata - 1), parts, part, out=offset)
    return strata - int((strata - 1) * parts + int(offset[0]) >= n)


def strata_of(n: int, parts: int, part: int = 0) -> int:
    """ceil(n / parts); LineageError for numbers that format 1 does not know."""
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
