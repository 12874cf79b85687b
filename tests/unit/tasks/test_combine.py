from __future__ import annotations

import math

import pytest
import torch

from evoray.errors import RunError
from evoray.tasks.combine import RunningMean, RunningVote, make_combiner


def test_every_size_is_the_mean_of_its_members() -> None:
    generator = torch.Generator().manual_seed(0)
    logits = [torch.randn(6, 4, generator=generator) for _ in range(5)]
    running = RunningMean()
    means = [running.add(member) for member in logits]
    for size, mean in enumerate(means, start=1):
        expected = torch.stack([torch.softmax(member.double(), 1) for member in logits[:size]]).mean(0)
        torch.testing.assert_close(mean, expected, rtol=1e-14, atol=0)
        assert mean.dtype == torch.float64


def test_earlier_answers_stay_as_they_were() -> None:
    running = RunningMean()
    first = running.add(torch.tensor([[0.0, 3.0]]))
    kept = first.clone()
    running.add(torch.tensor([[3.0, 0.0]]))
    assert torch.equal(first, kept)


def test_probabilities_are_averaged_not_logits() -> None:
    running = RunningMean()
    running.add(torch.tensor([[10.0, 0.0]]))
    mean = running.add(torch.tensor([[-2.0, 0.0]]))
    assert mean[0, 0] < 0.6  # the mean of the logits, 4, would give 0.98


def test_weights_need_not_sum_to_one() -> None:
    running = RunningMean()
    running.add(torch.log(torch.tensor([[0.9, 0.1]])), weight=3)
    mean = running.add(torch.log(torch.tensor([[0.5, 0.5]])), weight=1)
    torch.testing.assert_close(mean, torch.tensor([[0.8, 0.2]], dtype=torch.float64), rtol=1e-6, atol=0)


def test_refuses_other_shapes_and_weights() -> None:
    running = RunningMean()
    running.add(torch.zeros(2, 3))
    with pytest.raises(RunError, match="same images"):
        running.add(torch.zeros(2, 4))
    for weight in (0.0, -1.0, float("nan")):
        with pytest.raises(RunError, match="weight"):
            running.add(torch.zeros(2, 3), weight)


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


def test_a_mean_of_log_probabilities_takes_weights_and_the_same_care():
    from evoray.tasks.combine import LogMean

    one, other = torch.tensor([[2.0, 0.0, -1.0]]), torch.tensor([[0.0, 1.0, 3.0]])
    mean = LogMean()
    mean.add(one, 3.0)
    expected = ((3 * one.double().log_softmax(1) + other.double().log_softmax(1)) / 4).softmax(1)
    torch.testing.assert_close(mean.add(other, 1.0), expected)
    with pytest.raises(RunError, match="weights are positive"):
        mean.add(one, 0.0)
    with pytest.raises(RunError, match="the same images and classes"):
        mean.add(torch.zeros(1, 2))
