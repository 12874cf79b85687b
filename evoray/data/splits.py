"""Which rows are ``select`` and which are ``test``: disjoint, seeded, and computable one shard at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

SPLIT_STREAM = 3
"""First word of the spawn key; mutations use others."""


def split_rows(shard_rows: Sequence[int], fractions: Mapping[str, float], seed: int) -> dict[str, list[np.ndarray]]:
    """Rows of each split in each shard: name -> one sorted int64 array a shard.

    A shard's rows are shuffled by (seed, shard) and cut in the order of ``fractions``. Cuts are rounded on the
    running total of rows, so that a split's size is its fraction of the whole, to within one image.
    """
    split: dict[str, list[np.ndarray]] = {name: [] for name in fractions}
    start = 0
    for shard, rows in enumerate(shard_rows):
        pieces = split_shard(shard, start, rows, fractions, seed)
        for name, piece in pieces.items():
            split[name].append(piece)
        start += rows
    return split


def split_shard(shard: int, start: int, rows: int, fractions: Mapping[str, float], seed: int) -> dict[str, np.ndarray]:
    """One shard's rows of each split; ``start`` is the number of rows in the shards before it."""
    key = np.random.SeedSequence(seed, spawn_key=(SPLIT_STREAM, shard))
    order = np.random.Generator(np.random.Philox(key)).permutation(rows)
    pieces, used, share = {}, 0, 0.0
    for name, fraction in fractions.items():
        share += fraction
        cut = min(rows, _rounded(share * (start + rows)) - _rounded(share * start))
        pieces[name] = np.sort(order[used : max(used, cut)]).astype(np.int64)
        used = max(used, cut)
    return pieces


def _rounded(value: float) -> int:
    return int(np.floor(value + 0.5 + 1e-9))
