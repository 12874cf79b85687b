from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evoray.statistics import Comparison, corrected, holm


def test_the_textbook_example():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([]) == []


def test_what_is_not_defined_does_not_count():
    found = holm([0.02, math.nan, 0.03])
    assert found[0] == pytest.approx(0.04) and math.isnan(found[1]) and found[2] == pytest.approx(0.04)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_order_is_kept_and_nothing_gets_smaller(p):
    found = np.array(holm(p))
    assert (found >= np.array(p)).all() and (found <= 1).all()
    order = np.argsort(p, kind="stable")
    assert (np.diff(found[order]) >= 0).all()
    assert found.min() == pytest.approx(min(1, len(p) * min(p)))


def test_false_claims_stay_under_five_percent():
    """Six null comparisons a run, three thousand runs: plainly 26% would claim something."""
    p = np.random.default_rng(0).uniform(size=(3000, 6))
    plain = np.mean((p <= 0.05).any(axis=1))
    counted = np.mean([min(holm(row)) <= 0.05 for row in p])
    assert plain > 0.2
    assert counted < 0.06


def test_the_effect_follows_the_corrected_p():
    one = Comparison("soup", "nll", -0.1, (-0.19, -0.01), 0.03)
    assert one.effect == "better"
    assert [c.effect for c in corrected([one] * 2)] == ["not shown"] * 2
    assert Comparison.from_dict(corrected([one])[0].to_dict()).p_adjusted == pytest.approx(0.03)


def test_the_measure_that_was_asked_for_is_a_family_of_its_own():
    nll = Comparison("soup", "nll", -0.1, (-0.19, -0.01), 0.02)
    top1 = Comparison("soup", "top1", 0.1, (0.01, 0.19), 0.02)
    calibrated = Comparison("soup", "nll", -0.1, (-0.19, -0.01), 0.02, against="parent_calibrated")
    found = [one.p_adjusted for one in corrected([nll, nll, top1, calibrated])]
    assert found == pytest.approx([0.04, 0.04, 0.08, 0.08])
    assert corrected([nll, top1], primary="top1")[1].p_adjusted == pytest.approx(0.02)
