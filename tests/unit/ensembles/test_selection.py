from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evoray.ensembles import greedy, top_k, weighted


def test_best_first_failures_left_out_and_equals_in_order() -> None:
    assert top_k([0.1, math.nan, 0.3, -math.inf, 0.3, 0.2], 4) == [2, 4, 5, 0]
    assert top_k([0.1, math.nan], 5) == [0]
    assert top_k([0.1], 0) == []


def drawn(seed, members, images):
    return np.random.default_rng(seed).uniform(0.01, 1, (members, images))


def nll(own, weights):
    return -float(np.mean(np.log(np.average(own, axis=0, weights=weights))))


def test_greedy_takes_the_pair_that_complements():
    """The two middling members cover each other's gaps; the best single one does not help either."""
    own = np.array([[0.5, 0.5, 0.5, 0.5], [0.9, 0.9, 0.1, 0.1], [0.1, 0.1, 0.9, 0.9]])
    found = greedy(own, 2)
    assert found.indices == (0,)  # no pair beats one half everywhere
    own[1:] = [[0.99, 0.99, 0.3, 0.3], [0.3, 0.3, 0.99, 0.99]]
    assert set(greedy(own, 2).indices) == {1, 2}


@settings(deadline=None)
@given(seed=st.integers(0, 999), members=st.integers(1, 6), size=st.integers(1, 8))
def test_greedy_is_as_good_as_each_step_can_be(seed, members, size):
    own = drawn(seed, members, 20)
    found = greedy(own, size)
    weights = np.zeros(members)
    weights[list(found.indices)] = found.weights
    assert weights.sum() <= size and (np.array(found.weights) >= 1).all()
    assert nll(own, weights) == pytest.approx(min(found.path))
    assert nll(own, weights) <= min(nll(own, one) for one in np.eye(members)) + 1e-12
    # the first draw, and every prefix, by brute force
    counts = np.zeros(members)
    for step, value in enumerate(found.path, start=1):
        options = [nll(own, counts + one) for one in np.eye(members)]
        assert value == pytest.approx(min(options))
        counts[int(np.argmin(options))] += 1
        assert counts.sum() == step


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 999), members=st.integers(1, 4))
def test_weights_reach_the_optimum(seed, members):
    own = drawn(seed, members, 40)
    found = weighted(own)
    weights = np.zeros(members)
    weights[list(found.indices)] = found.weights
    assert weights.sum() == pytest.approx(1)
    assert list(found.weights) == sorted(found.weights, reverse=True)
    assert all(after <= before + 1e-12 for before, after in itertools.pairwise(found.path))
    grid = [np.array(g) for g in itertools.product(np.linspace(0, 1, 11), repeat=members) if abs(sum(g) - 1) < 1e-9]
    assert nll(own, weights) <= min(nll(own, one) for one in grid) + 2e-3


def test_a_member_without_numbers_is_never_chosen():
    own = drawn(0, 3, 10)
    own[1, 4] = math.nan
    assert 1 not in greedy(own, 5).indices
    assert 1 not in weighted(own).indices
