from __future__ import annotations

import pytest
import torch

from evoray.config import parse_constraint
from evoray.errors import ConfigError
from evoray.fitness import FitnessSpec
from evoray.fitness.user import gives_one_number
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


class Mergeable:
    width = 1

    def sums(self, logits, labels):
        return logits.sum().reshape(1)

    def value(self, sums):
        return sums[0]


@pytest.mark.parametrize(
    ("function", "one"),
    [
        (lambda x, y: (x.argmax(1) == y).float().mean(), True),
        (lambda x, y: 0.5, True),
        (lambda x, y: float((x.argmax(1) == y).float().mean()), True),
        (lambda x, y: x[:, 0], False),
        (lambda x, y: x[:, 0].tolist(), False),
        (lambda x, y: x[:, 0].numpy(), False),
        (Mergeable, False),
    ],
)
@pytest.mark.parametrize("constraints", [(), ("top1 >= 0.1",)])
def test_a_function_that_gives_one_number_is_known(function, one, constraints):
    spec = FitnessSpec("user:f", tuple("abcdefg"), constraints=tuple(map(parse_constraint, constraints)))
    assert gives_one_number(spec.make(TASK, lambda _: function), *logits_and_labels(5)) == one


def test_what_is_built_in_gives_no_one_number():
    for name in ("nll", "macro-f1", "brier"):
        assert not gives_one_number(made(name, lambda _: None), *logits_and_labels(6))
