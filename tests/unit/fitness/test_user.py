from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from evoray.errors import ConfigError
from evoray.fitness import FitnessSpec, metrics_of, score_images


def logits_and_labels(seed, n=37, classes=7):
    generator = torch.Generator().manual_seed(seed)
    return (
        torch.randn(n, classes, generator=generator),
        torch.randint(classes, (n,), generator=generator),
    )


def made(name, resolve):
    return FitnessSpec(name, tuple("abcdefg")).make(resolve)


def vector(fitness, logits, labels):
    return np.concatenate([score_images(logits, labels).counts(), fitness.sums(logits, labels)])


def test_metrics_agree_with_torch():
    logits, labels = logits_and_labels(0, n=500)
    metrics = metrics_of(score_images(logits, labels).counts())
    assert metrics.nll == pytest.approx(torch.nn.functional.cross_entropy(logits.double(), labels).item())
    assert metrics.top1 == (logits.argmax(1) == labels).double().mean().item()
    assert metrics.top5 == (logits.topk(5).indices == labels[:, None]).any(1).double().mean().item()


def test_equal_logits_are_not_all_right():
    scores = score_images(torch.zeros(10, 10), torch.arange(10))
    assert scores.rank.tolist() == list(range(10))


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_non_finite_logits_are_never_right(bad):
    logits, labels = logits_and_labels(1)
    logits[3, labels[3]] = bad
    counts = score_images(logits, labels).counts()
    assert counts[3] == 1
    assert math.isnan(counts[4])
    assert score_images(logits, labels).rank[3] == 7


def test_a_scalar_is_the_mean_of_its_images():
    fitness = made("user:scalar", lambda _: lambda x, y: (x.argmax(1) == y).float().mean())
    logits, labels = logits_and_labels(2)
    expected = (logits.argmax(1) == labels).double().mean().item()
    assert fitness.value(vector(fitness, logits, labels)) == pytest.approx(expected, rel=1e-6)


def test_a_score_of_the_wrong_shape_is_named():
    fitness = made("user:wrong", lambda _: lambda x, y: x)
    with pytest.raises(ValueError, match="one score an image"):
        fitness.sums(*logits_and_labels(3))


def test_something_that_is_no_fitness_is_refused():
    with pytest.raises(ConfigError, match="name a function"):
        made("user:number", lambda _: 3)
