"""Merged as they come, sums have the bits of sums that are added in shard order once all are there."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evoray.fitness import MergedSums
from evoray.tasks.sums import merge_shards

CANDIDATES, SHARDS, WIDTH = 5, 7, 3


def some_rows(seed=0):
    """Of such different sizes that every other order of addition gives other bits; -0.0 among them."""
    random = np.random.default_rng(seed)
    rows = random.normal(size=(CANDIDATES, SHARDS, WIDTH)) * 10.0 ** random.integers(-8, 8, (CANDIDATES, SHARDS, 1))
    rows[:, :, 2] = -0.0
    return rows


@given(st.permutations(range(CANDIDATES * SHARDS)))
def test_any_order_of_arrival_gives_the_same_bits(order):
    rows, sums = some_rows(), MergedSums(CANDIDATES, SHARDS, WIDTH)
    for number, one in enumerate(order):
        assert sums.unknown.sum() == len(order) - number
        sums.add(one // SHARDS, one % SHARDS, rows[one // SHARDS, one % SHARDS])
    assert not sums.unknown.any() and sums.waiting == 0
    for candidate in range(CANDIDATES):
        assert sums.total(candidate).tobytes() == merge_shards(rows[candidate]).tobytes()


def test_other_orders_of_addition_would_be_seen():
    rows = some_rows()
    assert any(merge_shards(one[::-1]).tobytes() != merge_shards(one).tobytes() for one in rows)


def test_of_two_results_the_first_counts():
    rows, sums = some_rows(), MergedSums(1, SHARDS, WIDTH)
    for shard in (3, 3, *range(SHARDS), 0, 3):
        if not sums.unknown[0, shard]:
            sums.add(0, shard, np.full(WIDTH, 1e9))
        else:
            sums.add(0, shard, rows[0, shard])
    assert sums.total(0).tobytes() == merge_shards(rows[0]).tobytes()


def test_a_row_that_is_kept_is_no_view_of_the_callers():
    rows, sums, row = some_rows(), MergedSums(1, SHARDS, WIDTH), np.empty(WIDTH)
    for shard in reversed(range(SHARDS)):
        row[:] = rows[0, shard]
        sums.add(0, shard, row)
    assert sums.total(0).tobytes() == merge_shards(rows[0]).tobytes()


def test_only_what_is_out_of_order_waits():
    sums, row = MergedSums(4000, 3, WIDTH), np.ones(WIDTH)
    for candidate in range(4000):
        sums.add(candidate, 0, row)
    assert sums.waiting == 0
    for candidate in range(3000):
        sums.add(candidate, 2, row)
    assert sums.waiting == 3000
    for candidate in range(3000):
        sums.add(candidate, 1, row)
    assert sums.waiting == 0
    assert sums.total(0).tolist() == [3.0] * WIDTH


def test_a_total_with_a_gap_is_not_handed_out():
    sums = MergedSums(1, 2, WIDTH)
    sums.add(0, 1, np.ones(WIDTH))
    with pytest.raises(AssertionError):
        sums.total(0)
