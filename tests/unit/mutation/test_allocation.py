"""Shares of children by gain and price: what is certain of them, and that they find the block that is worth it."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evoray.mutation.allocation import CHEAPEST, DISCOUNT, FLOOR, allocate, credit_of, shares

GAINS = st.lists(st.tuples(st.integers(0, 3), st.floats(allow_nan=True, allow_infinity=True)), max_size=12)


def test_only_what_was_gained_is_credit():
    found = credit_of(3, [(0, 0.5), (0, -2.0), (1, -np.inf), (1, np.nan), (2, np.inf), (0, 0.25)])
    assert found.tolist() == [[3, 2, 1], [0.75, 0, 0]]


@given(st.lists(GAINS, min_size=1, max_size=5), st.lists(st.floats(CHEAPEST, 1), min_size=4, max_size=4))
def test_shares_are_shares_and_nobody_is_forgotten(generations, prices):
    limited = [[(block, min(gain, 1e100)) for block, gain in gains] for gains in generations]
    share = shares([credit_of(4, gains) for gains in limited], prices)
    assert share.sum() == pytest.approx(1)
    work = share * np.asarray(prices)
    assert (work / work.sum() >= FLOOR / 4 - 1e-12).all()


def test_work_is_spent_in_proportion_to_what_it_gains():
    credits = [credit_of(3, [(0, 2.0)] * 1000 + [(1, 1.0)] * 1000 + [(2, 0.0)] * 1000)]
    prices = np.array([1.0, 0.25, 0.25])
    work = shares(credits, prices) * prices
    assert (work / work.sum() - FLOOR / 3) / (1 - FLOOR) == pytest.approx([2 / 6, 4 / 6, 0], abs=0.01)


def test_blocks_that_gain_nothing_cost_no_more_than_the_floor_however_dear_they_are():
    credits = [credit_of(10, [(9, 1.0)] * 100 + [(block, 0.0) for block in range(9) for _ in range(100)])]
    prices = np.array([1.0] * 9 + [0.01])
    work = shares(credits, prices) * prices
    assert work[:9].sum() / work.sum() < FLOOR + 0.1


def test_without_a_gain_every_block_gets_the_same_work():
    share = shares([credit_of(2, [(0, -1.0), (1, -3.0)])], (1.0, 0.25))
    assert share == pytest.approx([0.2, 0.8])


def test_what_is_long_ago_counts_less():
    one, other = credit_of(2, [(0, 1.0), (1, 0.0)] * 50), credit_of(2, [(0, 0.0), (1, 1.0)] * 50)
    assert shares([one, other], (1, 1))[1] == shares([other, one], (1, 1))[0] > 0.5
    late = shares([one] + [credit_of(2, [])] * 100, (1, 1))
    assert late == pytest.approx([0.5, 0.5], abs=0.01)  # its weight is DISCOUNT ** 100: the mean of all is left
    assert DISCOUNT**100 < 1e-9


def test_a_scale_of_fitness_changes_nothing():
    told = [(0, 0.25), (1, 0.5), (2, -1.0)] * 4
    scaled = [(block, 1024 * gain) for block, gain in told]
    assert (
        shares([credit_of(3, told)], (1, 0.5, 0.1)).tolist() == shares([credit_of(3, scaled)], (1, 0.5, 0.1)).tolist()
    )


@given(
    st.lists(st.floats(0.01, 1), min_size=1, max_size=8),
    st.integers(0, 60),
    st.floats(0, 1, exclude_max=True),
)
def test_whole_children_are_the_shares_rounded_down_or_up(share, children, offset):
    found = allocate(np.array(share), children, offset)
    counts, expected = Counter(found), np.array(share) / sum(share) * children
    assert len(found) == children and found == sorted(found)
    assert all(abs(counts[block] - expected[block]) < 1 + 1e-6 for block in range(len(share)))


def test_in_the_mean_they_are_the_shares():
    share = np.array([0.05, 0.15, 0.8])
    offsets = (np.arange(1000) + 0.5) / 1000
    counts = Counter(block for offset in offsets for block in allocate(share, 3, offset))
    assert [counts[block] / 3000 for block in range(3)] == pytest.approx(share, abs=0.002)


@pytest.mark.parametrize("best", [0, 3])
def test_the_block_that_is_worth_it_gets_most_of_the_work(best):
    """Its children gain sometimes, those of others seldom: a dear block gets most of the work, a cheap one the most
    children."""
    rng, prices, credits = np.random.default_rng(0), np.array([1.0, 0.7, 0.3, 0.05]), []
    spent = np.zeros(4)
    for generation in range(30):
        share = shares(credits, prices) if credits else np.full(4, 0.25)
        blocks = allocate(share, 20, float(rng.random()))
        chance = [0.3 if block == best else 0.02 for block in blocks]
        credits = [*credits, credit_of(4, [(b, float(rng.random() < p)) for b, p in zip(blocks, chance, strict=True)])]
        if generation >= 5:
            spent += np.bincount(blocks, minlength=4) * prices
    assert spent.argmax() == best if best == 0 else Counter(blocks).most_common(1)[0][0] == best
