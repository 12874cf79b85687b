from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from evoray.statistics import Share, correlation


def test_the_exact_interval():
    found = Share(3, 40).to_dict()
    assert found["share"] == 0.075
    assert found["ci95"] == pytest.approx([0.01574, 0.20386], abs=1e-4)  # Clopper & Pearson, tables
    assert Share(0, 0).to_dict()["share"] is None


def test_order_kept_reversed_and_none():
    x = np.arange(20.0)
    assert correlation(x, np.exp(x / 5))["spearman"] == pytest.approx(1)
    assert correlation(x, -x)["spearman"] == pytest.approx(-1)
    low, high = correlation(x, np.random.default_rng(0).random(20))["ci95"]
    assert low < 0 < high


def test_the_interval_covers():
    rng = np.random.default_rng(2)
    covered = 0
    for _ in range(300):
        x, y = rng.normal(size=(2, 20))
        low, high = correlation(x, y)["ci95"]
        covered += low <= 0 <= high
    assert covered / 300 == pytest.approx(0.95, abs=0.035)


@pytest.mark.parametrize("pair", [([1.0, 2.0, 3.0], [1.0, 2.0, 3.0]), ([1.0] * 9, range(9)), ([np.nan] * 9, range(9))])
def test_not_defined(pair):
    found = correlation(np.array(pair[0]), np.array(list(pair[1]), dtype=float))
    assert found["spearman"] is None and found["ci95"] == [None, None]


@pytest.mark.parametrize("count", [0, 1, 7, 12])
def test_the_exact_interval_is_that_of_the_beta_distribution(count):
    low, high = Share(count, 12).to_dict()["ci95"]
    assert low == pytest.approx(stats.beta.ppf(0.025, count, 13 - count) if count else 0.0)
    assert high == pytest.approx(stats.beta.ppf(0.975, count + 1, 12 - count) if count < 12 else 1.0)
    assert low <= count / 12 <= high


def test_pairs_that_are_not_finite_are_left_out():
    x, y = np.arange(10.0), np.random.default_rng(0).random(10)
    plain = correlation(x, y)
    with_holes = correlation(np.append(x, [np.nan, 3.0, np.inf]), np.append(y, [0.5, np.nan, 0.5]))
    assert with_holes == plain and plain["n"] == 10


def test_only_the_order_counts_for_spearman():
    x, y = np.random.default_rng(1).random((2, 15))
    assert correlation(np.exp(9 * x), y**3)["spearman"] == pytest.approx(correlation(x, y)["spearman"])
    assert correlation(x, y) == correlation(x.tolist(), y.tolist())


def test_pearsons_is_numpys():
    x, y = np.random.default_rng(2).random((2, 15))
    assert correlation(x, y)["pearson"] == pytest.approx(np.corrcoef(x, y)[0, 1])


def test_a_perfect_order_has_an_interval_within_one():
    found = correlation(np.arange(5.0), np.arange(5.0))
    assert found["spearman"] == pytest.approx(1.0) and found["ci95"][0] <= found["ci95"][1] <= 1.0
