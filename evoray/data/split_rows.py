"""Which rows are ``select`` and which are ``test``: disjoint, seeded, and computable one shard at a time."""

from collections.abc import Mapping, Sequence

import numpy as np

from evoray.runtime.seeds import Stream, generator


def split_rows(shard_rows: Sequence[int], fractions: Mapping[str, float], seed: int) -> dict[str, list[np.ndarray]]:
    """Rows of each split in each shard: name -> one sorted int64 array a shard.

    A shard's rows are shuffled by (seed, shard) and cut in the order of ``fractions``. A split's size is its fraction
    of the whole to within half an image; where rounding left no room in the last shards, it is one image less.
    """
    split: dict[str, list[np.ndarray]] = {name: [] for name in fractions}
    for shard, counts in enumerate(split_counts(shard_rows, fractions)):
        for name, piece in split_shard(shard, shard_rows[shard], counts, seed).items():
            split[name].append(piece)
    return split


def split_counts(shard_rows: Sequence[int], fractions: Mapping[str, float]) -> list[dict[str, int]]:
    """How many rows each split takes of each shard: what brings its total nearest to its fraction so far."""
    taken = dict.fromkeys(fractions, 0)
    counts, end = [], 0
    for rows in shard_rows:
        end += rows
        left, own = rows, {}
        for name, fraction in fractions.items():
            wanted = int(np.floor(fraction * end + 0.5 + 1e-9)) - taken[name]
            own[name] = min(max(wanted, 0), left)
            taken[name] += own[name]
            left -= own[name]
        counts.append(own)
    return counts


def split_shard(shard: int, rows: int, counts: Mapping[str, int], seed: int) -> dict[str, np.ndarray]:
    """One shard's rows of each split, given how many each takes."""
    order = generator(seed, Stream.SPLITS, shard).permutation(rows)
    pieces, start = {}, 0
    for name, count in counts.items():
        pieces[name] = np.sort(order[start : start + count]).astype(np.int64)
        start += count
    return pieces
