from __future__ import annotations

import pytest
import torch

from evoray.errors import RunError
from evoray.tasks.combine import RunningMean


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
