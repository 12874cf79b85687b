from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from evoray.tasks.class_scores import brier, predicted_class, score_log_probabilities, score_logits


def test_equal_logits_are_not_all_right():
    assert score_logits(torch.zeros(10, 10), torch.arange(10)).rank.tolist() == list(range(10))


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_non_finite_logits_are_never_right(bad):
    logits, labels = torch.randn(37, 7, generator=torch.Generator().manual_seed(1)), torch.arange(37) % 7
    logits[3, labels[3]] = bad
    records, top1, top5, invalid, nll = score_logits(logits, labels).counts()
    assert (records, invalid) == (37, 1) and math.isnan(nll)
    assert score_logits(logits, labels).rank[3] == 7
    assert top1 <= top5 <= 36


def test_the_first_of_equals_is_answered_and_nan_answers_nothing():
    logits = torch.tensor([[1.0, 2.0, 2.0], [0.0, math.nan, 1.0]])
    assert predicted_class(logits).tolist() == [1, 3]


def test_scores_are_what_counts_add_up():
    logits, labels = torch.randn(37, 7, generator=torch.Generator().manual_seed(2)), torch.arange(37) % 7
    found = score_logits(logits, labels)
    _, top1, top5, _, nll = found.counts()
    assert {name: math.fsum(values) for name, values in found.scores().items()} == {
        "nll": nll,
        "top1": top1,
        "top5": top5,
    }


LOGITS = st.integers(2, 6).flatmap(
    lambda classes: st.lists(
        st.lists(st.integers(-3, 3).map(float), min_size=classes, max_size=classes), min_size=1, max_size=5
    )
)
"""Small whole numbers, so that many are equal."""


@settings(max_examples=40)
@given(LOGITS, st.integers(0, 2**32 - 1))
def test_every_record_by_plain_arithmetic(rows, seed):
    labels = np.random.default_rng(seed).integers(len(rows[0]), size=len(rows))
    found = score_logits(torch.tensor(rows), torch.from_numpy(labels))
    for number, (row, label) in enumerate(zip(rows, labels, strict=True)):
        total = math.fsum(math.exp(value) for value in row)
        assert found.nll[number] == pytest.approx(math.log(total) - row[label], abs=1e-12)
        assert found.confidence[number] == pytest.approx(max(math.exp(value) for value in row) / total, abs=1e-12)
        order = sorted(range(len(row)), key=lambda place: (-row[place], place))
        assert found.rank[number] == order.index(label), "equals keep class order"


@settings(max_examples=40)
@given(LOGITS)
def test_rank_nought_is_the_predicted_class(rows):
    logits = torch.tensor(rows)
    answers = predicted_class(logits)
    assert answers.tolist() == np.argmax(rows, axis=1).tolist()
    assert score_logits(logits, answers).rank.tolist() == [0] * len(rows)


def test_counts_are_those_of_the_columns():
    logits = torch.tensor([[5.0, 4, 3, 2, 1, 0, -1]] * 4)
    images = score_logits(logits, torch.tensor([0, 1, 4, 6]))
    count, top1, top5, invalid, nll = images.counts()
    assert (count, top1, top5, invalid) == (4, 1, 3, 0)
    assert nll == math.fsum(images.nll)


@pytest.mark.parametrize("broken", [math.nan, math.inf])
@pytest.mark.parametrize("at", [0, 2])
def test_a_record_with_broken_logits_is_behind_every_class_and_spoils_the_sum(broken, at):
    logits = torch.tensor([[1.0, 2.0, 3.0], [1.0, 2.0, 3.0]])
    logits[0, at] = broken
    images = score_logits(logits, torch.tensor([2, 2]))
    assert images.rank.tolist() == [3, 0]
    assert math.isnan(images.nll[0]) and math.isfinite(images.nll[1])
    count, top1, _, invalid, nll = images.counts()
    assert (count, top1, invalid) == (2, 1, 1) and math.isnan(nll)


def test_a_class_that_is_ruled_out_costs_infinitely_much_and_is_counted_as_invalid():
    images = score_logits(torch.tensor([[0.0, -math.inf, 0.0]]), torch.tensor([1]))
    assert images.nll.tolist() == [math.inf] and images.rank.tolist() == [2]
    assert images.counts()[3] == 1


def test_short_types_are_scored_in_float64():
    logits = torch.randn(6, 9).to(torch.bfloat16)
    labels = torch.arange(6)
    short, long = score_logits(logits, labels), score_logits(logits.double(), labels)
    assert np.array_equal(short.nll, long.nll) and np.array_equal(short.confidence, long.confidence)


def test_log_probabilities_and_logits_agree():
    logits, labels = torch.randn(6, 9, dtype=torch.float64), torch.arange(6)
    found = score_log_probabilities(torch.log_softmax(logits, 1), labels)
    assert np.array_equal(found.nll, score_logits(logits, labels).nll)


def test_no_records_are_no_records():
    images = score_logits(torch.zeros(0, 3), torch.zeros(0, dtype=torch.int64))
    assert images.counts().tolist() == [0, 0, 0, 0, 0]


def test_the_brier_score_by_hand():
    probabilities = torch.tensor([[0.7, 0.2, 0.1], [0.7, 0.2, 0.1], [1.0, 0.0, 0.0], [1.0, 0.0, 0.0]])
    found = brier(probabilities.double().log(), torch.tensor([0, 2, 0, 1]))
    expected = [0.3**2 + 0.2**2 + 0.1**2, 0.7**2 + 0.2**2 + 0.9**2, 0.0, 2.0]
    np.testing.assert_allclose(found, expected, atol=1e-7)
