from __future__ import annotations

import numpy as np
import pytest

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
