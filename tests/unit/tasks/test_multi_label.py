"""Against the formulas as scikit-learn has them, written out in NumPy."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from evoray.errors import ModelError
from evoray.tasks.multi_label import MultiLabel
from evoray.tasks.sums import SumsLayout, merge_shards

TASK = MultiLabel()
LAYOUT = SumsLayout(TASK.columns)


def figures(*parts):
    rows = np.stack([TASK.sums(torch.from_numpy(outputs), torch.from_numpy(targets)) for outputs, targets in parts])
    return {name: one.value for name, one in TASK.figures(LAYOUT.by_name(merge_shards(rows))).items()}


@given(st.integers(0, 99), st.integers(2, 40), st.integers(1, 5))
def test_figures_are_those_of_the_textbook(seed, n, labels):
    random = np.random.default_rng(seed)
    targets = random.integers(2, size=(n, labels), dtype=np.uint8)
    logits = random.normal(size=(n, labels)).astype(np.float32) * 3
    given_, right = logits > 0, targets > 0
    chance = 1 / (1 + np.exp(-logits.astype(np.float64)))
    both, asked = np.sum(given_ & right), np.sum(given_) + np.sum(right)
    found = figures((logits[:1], targets[:1]), (logits[1:], targets[1:]))
    assert found["bce"] == pytest.approx(-np.mean(np.where(right, np.log(chance), np.log1p(-chance))))
    assert found["exact"] == pytest.approx(np.mean(np.all(given_ == right, axis=1)))
    assert found["accuracy"] == pytest.approx(np.mean(given_ == right))
    assert found["f1"] == pytest.approx(2 * both / asked) if asked else math.isnan(found["f1"])


def test_figures_by_hand():
    """Two of three labels given rightly, one given wrongly, one missed."""
    logits = np.array([[1.0, 1.0, -1.0], [1.0, -1.0, -1.0]])
    found = figures((logits, np.array([[1, 0, 0], [1, 1, 0]], np.uint8)))
    right, wrong = math.log1p(math.exp(-1)), math.log1p(math.exp(1))
    assert found == pytest.approx({"bce": (4 * right + 2 * wrong) / 6, "exact": 0, "accuracy": 4 / 6, "f1": 4 / 6})


def test_large_logits_neither_overflow_nor_vanish():
    found = figures((np.array([[1e4, -1e4]]), np.array([[0, 0]], np.uint8)))
    assert found["bce"] == pytest.approx(5e3)


def test_nothing_asked_and_nothing_given_has_no_f1():
    found = figures((np.full((3, 2), -1.0), np.zeros((3, 2), np.uint8)))
    assert math.isnan(found["f1"]) and found["exact"] == 1


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_outputs_that_are_not_finite_are_counted(bad):
    row = TASK.sums(torch.tensor([[1.0, bad], [1.0, 1.0]]), torch.ones(2, 2, dtype=torch.uint8))
    assert LAYOUT.column(row, "invalid") == 1 and not LAYOUT.is_valid(row)


def test_another_number_of_labels():
    with pytest.raises(ModelError, match="gives 3 values a record, and a record has labels for 2"):
        TASK.sums(torch.zeros(4, 3), torch.zeros(4, 2, dtype=torch.uint8))
