"""Against the formulas as scikit-learn has them, written out in NumPy."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from evoray.errors import ModelError
from evoray.tasks.regression import Regression
from evoray.tasks.sums import SumsLayout, merge_shards

TASK = Regression()
LAYOUT = SumsLayout(TASK.columns)


def figures(outputs, targets, cuts=()):
    """By sums of parts, merged."""
    parts = [
        TASK.sums(*(torch.from_numpy(one) for one in pair))
        for pair in zip(np.split(outputs, cuts), np.split(targets, cuts), strict=True)
    ]
    found = TASK.figures(LAYOUT.by_name(merge_shards(np.stack(parts))))
    return {name: one.value for name, one in found.items()}


@given(st.integers(0, 99), st.integers(2, 40), st.sampled_from([(), (1,), (3,), (2, 3)]), st.sampled_from([0.0, 1e3]))
def test_figures_are_those_of_the_textbook(seed, n, shape, offset):
    random = np.random.default_rng(seed)
    targets = random.normal(size=(n, *shape)) + offset
    outputs = (targets + random.normal(size=targets.shape)).astype(np.float32)
    off, spread = outputs - targets, targets - targets.mean()
    found = figures(outputs, targets, (n // 2,))
    assert found["mse"] == pytest.approx(np.mean(off**2))
    assert found["mae"] == pytest.approx(np.mean(np.abs(off)))
    assert found["r2"] == pytest.approx(1 - np.sum(off**2) / np.sum(spread**2), rel=1e-6, abs=1e-6)


def test_figures_by_hand():
    found = figures(np.array([2.5, 0.0, 2.0, 8.0]), np.array([3.0, -0.5, 2.0, 7.0])[:, None])
    assert found == pytest.approx({"mse": 0.375, "mae": 0.5, "r2": 0.9486081370449679})


@pytest.mark.parametrize("targets", [[5.0, 5.0, 5.0], [1e9, 1e9 + 1e-3, 1e9], [0.0, 0.0, 0.0]])
def test_targets_that_do_not_differ_have_no_r2(targets):
    assert math.isnan(figures(np.zeros(3), np.array(targets))["r2"])


def test_a_large_offset_costs_no_digits_that_are_reported():
    random = np.random.default_rng(0)
    targets = random.normal(size=1000) * 10 + 1e5
    outputs = targets + random.normal(size=1000)
    expected = 1 - np.sum((outputs - targets) ** 2) / np.sum((targets - targets.mean()) ** 2)
    assert figures(outputs, targets, (100, 600))["r2"] == pytest.approx(expected, abs=1e-5)


def test_outputs_that_are_not_finite_are_counted_and_give_no_figure():
    outputs = torch.tensor([[1.0], [math.nan], [math.inf], [2.0]])
    row = TASK.sums(outputs, torch.zeros(4, 1))
    assert LAYOUT.column(row, "invalid") == 2 and not LAYOUT.is_valid(row)
    assert TASK.scores(outputs, torch.zeros(4, 1))["mse"][[0, 3]].tolist() == [1.0, 4.0]


def test_a_record_is_the_mean_of_its_values():
    scores = TASK.scores(torch.tensor([[1.0, 3.0], [0.0, 0.0]]), torch.zeros(2, 2))
    assert {name: one.tolist() for name, one in scores.items()} == {"mse": [5.0, 0.0], "mae": [2.0, 0.0]}


@pytest.mark.parametrize("outputs", [(3, 2), (3, 4), (3, 1, 2)])
def test_another_number_of_outputs(outputs):
    with pytest.raises(ModelError, match="values a record, and the target 1"):
        TASK.sums(torch.zeros(outputs), torch.zeros(3, 1))
