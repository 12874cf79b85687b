from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from evoray.data.split_rows import split_counts, split_rows, split_shard

SHARDS = st.lists(st.integers(1, 60), min_size=1, max_size=8)


@given(SHARDS, st.floats(0.01, 1.0), st.floats(0.0, 1.0), st.integers(0, 2**40))
def test_disjoint_and_of_the_right_size(shards, select, rest, seed):
    fractions = {"select": select, "test": (1 - select) * rest}
    split = split_rows(shards, fractions, seed)
    for shard, rows in enumerate(shards):
        pieces = [split[name][shard] for name in fractions]
        joined = np.concatenate(pieces)
        assert len(set(joined.tolist())) == len(joined)
        assert all(np.array_equal(piece, np.sort(piece)) for piece in pieces)
        assert joined.size == 0 or (joined.min() >= 0 and joined.max() < rows)
    for name, fraction in fractions.items():
        assert abs(sum(map(len, split[name])) - fraction * sum(shards)) <= 1.5 + 1e-6


@given(SHARDS, st.integers(0, 2**40))
def test_halves_are_everything(shards, seed):
    split = split_rows(shards, {"select": 0.5, "test": 0.5}, seed)
    assert sum(len(rows) for name in split for rows in split[name]) == sum(shards)


@given(SHARDS, st.integers(0, 100))
def test_one_shard_alone_gives_the_same(shards, seed):
    fractions = {"select": 0.3, "test": 0.6}
    split = split_rows(shards, fractions, seed)
    for shard, counts in enumerate(split_counts(shards, fractions)):
        alone = split_shard(shard, shards[shard], counts, seed)
        assert all(np.array_equal(alone[name], split[name][shard]) for name in fractions)


def test_the_seed_chooses():
    first, other = (split_rows([100], {"select": 0.5, "test": 0.5}, seed)["select"][0] for seed in (0, 1))
    assert not np.array_equal(first, other)
