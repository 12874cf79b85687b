from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from evoray.fitness.per_class import balanced_accuracy, class_counts, macro_f1, worst_class

# true 0: 3 of 4 right, one answered 1; true 1: 1 of 2 right, one answered 2; true 2: no images; true 3: 0 of 1
LABELS = torch.tensor([0, 0, 0, 0, 1, 1, 3])
ANSWERS = torch.tensor([0, 0, 0, 1, 1, 2, 4])


@pytest.fixture
def counts():
    return class_counts(ANSWERS, LABELS, 4).reshape(3, 4)


def test_counts(counts):
    assert counts.tolist() == [[4, 2, 0, 1], [3, 1, 0, 0], [3, 2, 1, 0]]


def test_numbers_by_hand(counts):
    assert balanced_accuracy(counts) == pytest.approx((3 / 4 + 1 / 2 + 0) / 3)
    assert worst_class(counts) == 0
    # F1: 2*3/(4+3), 2*1/(2+2), class 2 was answered but has no images: 0, class 3: 0
    assert macro_f1(counts) == pytest.approx((6 / 7 + 1 / 2 + 0 + 0) / 4)


def test_no_images_is_no_number():
    for number in (balanced_accuracy, worst_class, macro_f1):
        assert math.isnan(number(np.zeros((3, 4))))
