from __future__ import annotations

import math

import pytest
import torch

from evoray.tasks.combine import RunningMean, RunningVote, make_combiner


def of(*rows):
    return torch.tensor(rows, dtype=torch.float64).log().float()


def test_the_majority_wins_against_a_sure_minority():
    votes = RunningVote()
    votes.add(of([0.51, 0.48, 0.01]))
    votes.add(of([0.51, 0.48, 0.01]))
    found = votes.add(of([0.01, 0.98, 0.01]))
    mean = torch.tensor([0.51 + 0.51 + 0.01, 0.48 + 0.48 + 0.98, 0.03], dtype=torch.float64) / 3
    expected = (torch.tensor([2.0, 1.0, 0.0]) + mean) / 4
    torch.testing.assert_close(found[0], expected.double(), rtol=1e-6, atol=1e-7)
    assert found.argmax() == 0 and votes.mean.argmax() == 1


def test_a_tie_goes_to_the_likelier_class():
    votes = RunningVote()
    votes.add(of([0.6, 0.4]))
    assert votes.add(of([0.1, 0.9]))[0].argmax() == 1


def test_every_class_keeps_a_likelihood_and_rows_sum_to_one():
    votes = RunningVote()
    for weight in (1.0, 2.0):
        found = votes.add(torch.randn(20, 5), weight)
    assert (found > 0).all()
    torch.testing.assert_close(found.sum(1), torch.ones(20, dtype=torch.float64))


def test_broken_logits_show():
    votes = RunningVote()
    assert votes.add(torch.tensor([[math.nan, 0.0]])).isnan().all()


@pytest.mark.parametrize("method", ["top-k", "greedy", "weighted", "majority"])
def test_methods(method):
    assert isinstance(make_combiner(method), RunningVote if method == "majority" else RunningMean)
