from __future__ import annotations

import pytest
import torch

from evoray.config import FitnessConfig, parse_constraint
from evoray.errors import ConfigError
from evoray.fitness import fitness_spec
from evoray.tasks.image_classification import ImageClassification

TASK = ImageClassification()
LABELS = torch.tensor([0] * 10 + [1] * 10)


def made(*constraints):
    return fitness_spec(FitnessConfig(constraints=constraints), ("cat", "dog")).make(TASK, lambda _: None)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("nll >= parent", 'lower is better, so it asks children to be worse. Write "nll <= parent"'),
        ("nll >= 0.5", 'Write "nll <= 0.5"'),
        ("top1 <= parent - 0.01", 'higher is better, so it asks children to be worse. Write "top1 >= parent - 0.01"'),
        ("class-accuracy <= 0.5", 'Write "class-accuracy >= 0.5"'),
        ("worst-class<=parent", 'Write "worst-class >= parent"'),
        ("top1 >= 99", "top1 is a fraction, from 0 to 1; 99% is 0.99"),
        ("top1 >= 1.5", "top1 is a fraction, from 0 to 1; 1.5% is 0.015"),
        ("top5 >= 1000", "top5 is a fraction, from 0 to 1."),
        ("top1 >= parent - 2", "2% is 0.02"),
        ("top1 >= parent + 3", "3% is 0.03"),
        ("macro-f1 >= 50", "50% is 0.5"),
        ("balanced-accuracy >= -0.5", "every network keeps it, balanced-accuracy is never below 0"),
        ("nll <= -0.1", "no network is below 0. Raise -0.1"),
    ],
)
def test_nonsense_is_refused_with_what_may_be_meant(text, words):
    with pytest.raises(ConfigError) as caught:
        made("top5 >= 0.1", text)
    assert str(caught.value).startswith(f'fitness.constraints: "{parse_constraint(text).text}": ')
    assert words in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        *("top1 >= 1", "top1 >= 0", "top1 >= parent - 1", "top1 >= parent + 0.3", "nll <= 0", "nll <= parent - 5"),
        *("nll <= 300", "class-accuracy >= 1", "macro-f1 >= parent"),
    ],
)
def test_what_may_be_meant_is_taken(text):
    assert made(text) is not None


def total_of(fitness, right):
    """Merged sums of a network that gets ``right`` of each class's ten images."""
    answers = LABELS.clone()
    answers[right:10], answers[10 + right :] = 1, 0
    logits = 5 * torch.nn.functional.one_hot(answers, 2).float()
    return fitness.layout.row(TASK.sums(logits, LABELS), fitness.sums(logits, LABELS))


@pytest.mark.parametrize(
    ("text", "right", "said"),
    [
        ("top1 >= 0.99", 5, "the parent itself breaks fitness.constraints (top1 >= 0.99: 0.5): a child that does not"),
        ("nll <= 0.1", 9, "(nll <= 0.1: 0.506715)"),
        ("class-accuracy >= 0.95", 9, "(class-accuracy >= 0.95 for class cat: 0.9)"),
        ("top1 >= parent + 0.1", 5, "(top1 >= parent + 0.1: 0.5)"),
        ("top1 >= 0.5", 5, None),
        ("top1 >= parent", 5, None),
        ("nll <= parent + 0.1", 1, None),
    ],
)
def test_a_constraint_that_the_parent_breaks_is_said(text, right, said):
    fitness = made(text)
    found = fitness.broken_by_parent(total_of(fitness, right))
    assert found is None if said is None else said in found
