from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from evoray.fitness.per_class import balanced_accuracy, class_counts, class_of, macro_f1, worst_class

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


@pytest.mark.parametrize(
    ("outputs", "numbers", "classes"),
    [
        (None, [0, 1, 2, 3, 999], [0, 1, 2, 2, 2]),
        ((1, 0), [0, 1, 2], [1, 0, 2]),
        ((7, 2), [7, 2, 0, 8, 9, 999], [0, 1, 2, 2, 2, 2]),
        ((0, 1), [0, 1, 2], [0, 1, 2]),
    ],
)
def test_an_output_is_the_class_that_it_is_or_none(outputs, numbers, classes):
    assert class_of(torch.tensor(numbers), 2, outputs).tolist() == classes


def test_answers_that_are_no_class_of_the_data_are_wrong_and_nobodys():
    """Outputs 5 and 9 are the classes; 0, 6 and NaN's (12) are none of them."""
    counts = class_counts(torch.tensor([5, 0, 9, 6, 12, 5]), torch.tensor([5, 5, 9, 9, 9, 9]), 2, (5, 9)).reshape(3, 2)
    assert counts.tolist() == [[2, 4], [1, 1], [2, 1]]
    assert macro_f1(counts) == pytest.approx((2 * 1 / (2 + 2) + 2 * 1 / (4 + 1)) / 2)
    assert balanced_accuracy(counts) == pytest.approx((1 / 2 + 1 / 4) / 2)
