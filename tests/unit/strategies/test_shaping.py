from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evoray.strategies.moving_centre import centred_ranks

FITNESSES = st.lists(st.integers(-5, 5).map(float) | st.just(-math.inf), min_size=2, max_size=12)


@given(FITNESSES)
def test_ranks_sum_to_nought_and_keep_the_order(fitness):
    ranks = centred_ranks(fitness)
    assert ranks.sum() == pytest.approx(0, abs=1e-12)
    assert np.abs(ranks).max() <= 0.5
    for one, other, rank, another in zip(fitness, fitness[1:], ranks, ranks[1:], strict=False):
        assert (one < other) == (rank < another) and (one == other) == (rank == another)


@given(FITNESSES, st.integers(1, 9))
def test_only_the_order_counts(fitness, factor):
    stretched = [factor * value**3 if math.isfinite(value) else value for value in fitness]
    assert centred_ranks(fitness).tolist() == centred_ranks(stretched).tolist()


def test_ranks_by_hand():
    assert centred_ranks([3.0, 1.0, 100.0, 2.0, -7.0]).tolist() == [0.25, -0.25, 0.5, 0.0, -0.5]
    assert centred_ranks([1.0, 1.0, 0.0]).tolist() == [0.25, 0.25, -0.5]


def test_failures_are_equals_below_all_others():
    assert centred_ranks([-math.inf, 0.0, -math.inf, -1e300]).tolist() == pytest.approx([-1 / 3, 0.5, -1 / 3, 1 / 6])


@pytest.mark.parametrize("fitness", [[], [3.0], [-math.inf]])
def test_one_alone_has_nobody_to_be_better_than(fitness):
    assert centred_ranks(fitness).tolist() == [0.0] * len(fitness)


def test_equals_all_count_nothing():
    assert centred_ranks([2.0] * 7).tolist() == [0.0] * 7
