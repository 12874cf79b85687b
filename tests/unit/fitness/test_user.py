from __future__ import annotations

import pytest
import torch

from evoray.errors import ConfigError
from evoray.fitness import FitnessSpec
from evoray.tasks.image_classification import ImageClassification

TASK = ImageClassification()


def logits_and_labels(seed, n=37, classes=7):
    generator = torch.Generator().manual_seed(seed)
    return (
        torch.randn(n, classes, generator=generator),
        torch.randint(classes, (n,), generator=generator),
    )


def made(name, resolve):
    return FitnessSpec(name, tuple("abcdefg")).make(TASK, resolve)


def vector(fitness, logits, labels):
    return fitness.layout.row(TASK.sums(logits, labels), fitness.sums(logits, labels))


def test_a_scalar_is_the_mean_of_its_images():
    fitness = made("user:scalar", lambda _: lambda x, y: (x.argmax(1) == y).float().mean())
    logits, labels = logits_and_labels(2)
    expected = (logits.argmax(1) == labels).double().mean().item()
    assert fitness.value(vector(fitness, logits, labels)) == pytest.approx(expected, rel=1e-6)


def test_a_score_of_the_wrong_shape_is_named():
    fitness = made("user:wrong", lambda _: lambda x, y: x)
    with pytest.raises(ValueError, match="one score a record"):
        fitness.sums(*logits_and_labels(3))


def test_something_that_is_no_fitness_is_refused():
    with pytest.raises(ConfigError, match="name a function"):
        made("user:number", lambda _: 3)


def test_one_number_is_no_score_of_each_record():
    fitness = made("user:scalar", lambda _: lambda x, y: (x.argmax(1) == y).float().mean())
    with pytest.raises(ConfigError, match="one score a record"):
        fitness.scores(*logits_and_labels(4))


def test_a_name_that_the_task_does_not_know_is_refused():
    with pytest.raises(ConfigError, match="is none of top1, top5, nll, brier"):
        made("recall", lambda _: None)
