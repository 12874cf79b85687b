from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evoray.statistics import over_seeds


def test_students_interval_of_a_known_sample():
    found = over_seeds([1.0, 2.0, 3.0])
    # t(0.975, 2) = 4.302653, standard error 1 / sqrt(3)
    assert (found.n, found.mean) == (3, 2.0)
    assert found.high - 2 == pytest.approx(4.302653 / math.sqrt(3), rel=1e-6)
    assert 2 - found.low == pytest.approx(found.high - 2)


@pytest.mark.parametrize("values", [[], [1.0, math.nan], [math.inf]])
def test_what_is_not_defined_is_nan(values):
    assert math.isnan(over_seeds(values).mean)


def test_one_seed_has_a_mean_and_no_interval():
    found = over_seeds([4.0])
    assert found.mean == 4.0 and math.isnan(found.low) and math.isnan(found.high)


@given(st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=9))
def test_the_mean_lies_inside(values):
    found = over_seeds(values)
    assert found.low <= found.mean <= found.high
