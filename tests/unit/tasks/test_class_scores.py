from __future__ import annotations

import math

import pytest
import torch

from evoray.tasks.class_scores import predicted_class, score_logits


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
