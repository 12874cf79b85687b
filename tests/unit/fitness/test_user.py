from __future__ import annotations

import pytest
import torch

from evoray.errors import ConfigError
from evoray.fitness import FitnessSpec
from evoray.fitness.user import AnswerError
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

    def __init__(self, sums=None, value=0.5):
        self._sums, self._value = sums, value

    def sums(self, logits, labels):
        return self._sums

    def value(self, sums):
        return self._value


@pytest.mark.parametrize("answer", [None, "0.5", {"top1": 0.5}, object(), (torch.ones(3), 1), torch.ones(37) * 1j])
def test_what_is_no_score_is_named(answer):
    own = "None, which is no number. It may end without a return" if answer is None else type(answer).__name__
    with pytest.raises(AnswerError, match=f"user:f returned .*{own}.*eturn one score a record"):
        made("user:f", lambda _: lambda x, y: answer).sums(*logits_and_labels(5))
    with pytest.raises(AnswerError, match=r"user:f.sums returned .*its width, \[1\]"):
        made("user:f", lambda _: Mergeable(answer)).sums(*logits_and_labels(5))


@pytest.mark.parametrize("answer", [None, "many", {}, torch.ones(3)])
def test_a_value_that_is_no_number_is_named(answer):
    fitness = made("user:f", lambda _: Mergeable(torch.ones(1), answer))
    with pytest.raises(AnswerError, match=r"user:f.value returned .*one number"):
        fitness.answer(*logits_and_labels(5))


def test_a_value_keeps_its_bits():
    assert made("user:f", lambda _: Mergeable(torch.ones(1), 0.1)).answer(*logits_and_labels(5)).item() == 0.1
