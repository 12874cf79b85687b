from __future__ import annotations

import pytest
import torch

from evoray.config import FitnessConfig, parse_config, parse_constraint
from evoray.errors import ConfigError
from evoray.fitness import FitnessSpec, fitness_spec
from evoray.tasks.image_classification import ImageClassification

TASK = ImageClassification()

CLASSES = ("cat", "dog")
LABELS = torch.tensor([0] * 10 + [1] * 10)


def total_of(fitness, right):
    """Merged sums of a network that gets ``right[class]`` of each class's ten images."""
    answers = LABELS.clone()
    answers[right[0] : 10] = 1
    answers[10 + right[1] :] = 0
    logits = 5 * torch.nn.functional.one_hot(answers, 2).float()
    return fitness.layout.row(TASK.sums(logits, LABELS), fitness.sums(logits, LABELS))


@pytest.mark.parametrize(
    ("text", "kept", "broken"),
    [
        ("top1 >= parent - 0.1", (8, 8), (8, 7)),
        ("top1 >= 0.8", (8, 8), (9, 6)),
        ("class-accuracy >= parent - 0.2", (7, 10), (6, 10)),
        ("worst-class >= 0.5", (5, 9), (4, 10)),
        ("nll <= parent + 0.2", (9, 9), (8, 9)),
    ],
)
def test_kept_and_broken(text, kept, broken):
    fitness = fitness_spec(FitnessConfig(name="top1", constraints=(text,)), CLASSES).make(TASK, lambda _: None)
    parent = total_of(fitness, (9, 9))
    assert fitness.broken(total_of(fitness, kept), parent) is None
    assert text in fitness.broken(total_of(fitness, broken), parent)
    assert fitness.value(total_of(fitness, kept)) == sum(kept) / 20


def test_the_class_that_fell_is_named():
    config = FitnessConfig(constraints=("class-accuracy >= parent - 0.1",))
    fitness = fitness_spec(config, CLASSES).make(TASK, lambda _: None)
    reason = fitness.broken(total_of(fitness, (10, 5)), total_of(fitness, (9, 9)))
    assert reason == "class-accuracy >= parent - 0.1 for class dog: 0.5, the parent has 0.9"


def test_forms():
    assert parse_constraint(" top1>=parent ")[1:] == ("top1", True, True, 0.0)
    assert parse_constraint("nll <= parent+0.25")[1:] == ("nll", False, True, 0.25)
    assert parse_constraint("top5 >= .9")[1:] == ("top5", True, False, 0.9)


@pytest.mark.parametrize("text", ["top1", "top1 > 0.5", "top1 >= parent - x", "nll <= 1e999", ""])
def test_nonsense_is_refused_by_the_configuration(text):
    values = {"parent": {"name": "m:f", "source": "module"}, "data": {"path": "x"}}
    with pytest.raises(ConfigError, match="constraints"):
        parse_config(values | {"fitness": {"constraints": [text]}})


def test_what_the_task_cannot_measure_is_refused():
    spec = FitnessSpec("nll", CLASSES, constraints=(parse_constraint("speed >= 3"),))
    with pytest.raises(ConfigError, match="speed is none of top1, top5, nll, balanced-accuracy"):
        spec.make(TASK, lambda _: None)


def test_a_class_is_the_datas_whatever_output_it_is():
    config = FitnessConfig(constraints=("class-accuracy >= parent - 0.1",))
    fitness = fitness_spec(config, CLASSES, outputs=(6, 2)).make(TASK, lambda _: None)

    def total(right):
        labels = torch.tensor([6] * 10 + [2] * 10)
        answers = labels.clone()
        answers[right[0] : 10], answers[10 + right[1] :] = 3, 3
        logits = 5 * torch.nn.functional.one_hot(answers, 8).float()
        return fitness.layout.row(TASK.sums(logits, labels), fitness.sums(logits, labels))

    reason = fitness.broken(total((10, 5)), total((9, 9)))
    assert reason == "class-accuracy >= parent - 0.1 for class dog: 0.5, the parent has 0.9"
