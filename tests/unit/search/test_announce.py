from __future__ import annotations

import re
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from evoray.config import parse_config
from evoray.errors import ModelError
from evoray.fitness import FitnessSpec
from evoray.models import ClassMap, Parent, Preprocessing
from evoray.search.announce import announced, parent_line
from evoray.tasks.image_classification import ImageClassification

TASK = ImageClassification()
CLASSES = ClassMap(("a", "b"), 2, None, "by name")
LABELS = torch.arange(40) % 2
GOOD = torch.nn.functional.one_hot(LABELS, 2) * 5.0
IMAGENET = Preprocessing((0.485, 0.456, 0.406), (0.2, 0.2, 0.2))


def parent_config(**values):
    return parse_config({"parent": {"source": "module", "name": "m:f"} | values, "data": {"path": "x"}}).parent


def said(outputs=GOOD, function=None, fitness="nll", preprocessing=IMAGENET, shards=3, **config):
    made = FitnessSpec(fitness, CLASSES.classes, np.array([[0.0, 1.0], [9.0, 0.0]])).make(TASK, lambda _: function)
    trial = SimpleNamespace(
        task=TASK,
        normalisation=((0.5,), (0.5,)),
        quick=(outputs, LABELS),
        splits=SimpleNamespace(shards=lambda split: [*range(shards)], counted="images"),
    )
    parent = Parent(torch.nn.Identity(), preprocessing=preprocessing)
    return announced(parent_config(**config), parent, made, CLASSES, trial)


@pytest.mark.parametrize(
    ("config", "preprocessing", "words"),
    [
        ({}, Preprocessing(), "images arrive as x/255.*set parent.mean and parent.std"),
        ({"weights": "mine.pth"}, Preprocessing(), "images arrive as x/255"),
        ({}, IMAGENET, None),
        ({"mean": (0.5,), "std": (0.5,)}, Preprocessing((0.5,), (0.5,)), None),
        ({"source": "torchvision", "name": "resnet18", "weights": "IMAGENET1K_V1"}, IMAGENET, None),
        ({"source": "torchvision", "name": "resnet18", "weights": "random"}, IMAGENET, None),
        (
            {"source": "torchvision", "name": "resnet18", "weights": "mine.pth"},
            IMAGENET,
            r"as torchvision does for resnet18 \(mean 0.485, 0.456, 0.406\), for mine.pth says nothing of it",
        ),
        ({"source": "timm", "name": "resnet18", "weights": "a/b.safetensors"}, IMAGENET, "as timm does for resnet18"),
        (
            {"source": "timm", "name": "resnet18", "weights": "x.pth", "mean": (0.5,), "std": (0.5,)},
            Preprocessing((0.5,), (0.5,)),
            None,
        ),
    ],
)
def test_how_images_arrive_is_said_where_nobody_said_it(config, preprocessing, words):
    notes = said(preprocessing=preprocessing, **config).notes
    assert notes[0] == CLASSES.said
    if words is None:
        assert len(notes) == 1
    else:
        assert len(notes) == 2 and re.search(words, notes[1])


def raising(outputs, labels):
    return 1 / (len(labels) > 40)


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (lambda x, y: 0.5, "gives one number for many images: the run takes its mean over the 3 shards of select"),
        (lambda x, y: x.mean(), "return one score an image, or give an object with width, sums and value"),
        (raising, "tried on 40 images of select before the run: it raised ZeroDivisionError"),
        (lambda x, y: x[:, 0], None),
    ],
)
def test_a_fitness_of_one_number_is_said_to_be_averaged(function, words):
    notes = said(function=function, fitness="mine:f").notes
    assert len(notes) == 1 if words is None else words in notes[1]


@pytest.mark.parametrize(
    ("name", "first"),
    [
        ("nll", "NLL 0.006715, top-1 accuracy 100.00%"),
        ("top1", "top-1 accuracy 100.00%, top-5 accuracy 100.00%, NLL"),
        ("cost", "cost 0, top-1 accuracy 100.00%"),
        ("macro-f1", "macro F1 100.00%, top-1 accuracy"),
    ],
)
def test_the_parent_is_shown_by_the_runs_fitness_first(name, first):
    (line,) = said(fitness=name).trial
    assert line.startswith(f"the parent on 40 images of select: {first}")


def test_a_parent_that_guesses_is_warned_of():
    shown, warned = said(outputs=-GOOD).trial
    assert "top-1 accuracy 0.00%" in shown
    assert warned.startswith("The parent is no better than chance on these 40 images: top-1 accuracy 0.0%")


def test_a_users_function_is_not_asked_for_a_figure():
    (line,) = said(function=lambda x, y: x[:, 0], fitness="mine:f").trial
    assert line == "the parent on 40 images of select: top-1 accuracy 100.00%, top-5 accuracy 100.00%, NLL 0.006715"


def test_a_network_that_raises_is_the_runs_to_report():
    def raises():
        raise RuntimeError

    trial = SimpleNamespace(quick=raises, normalisation=((0.5,), (0.5,)))
    found = announced(parent_config(), Parent(torch.nn.Identity(), preprocessing=IMAGENET), None, CLASSES, trial)
    assert found.notes == (CLASSES.said,) and found.trial == ()


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("fitness", ["nll", "mine:f"])
def test_a_parent_of_outputs_that_are_not_finite_is_refused(value, fitness):
    outputs = GOOD.clone()
    outputs[3, 1] = value
    with pytest.raises(ModelError, match=r"NaN or infinite for 1 of 40 images of select. Mask outputs with"):
        said(outputs=outputs, function=lambda x, y: x[:, 0], fitness=fitness)


@pytest.mark.parametrize(("outputs", "warned"), [(GOOD, False), (-GOOD, True)])
def test_all_of_select_says_the_same_once_it_is_evaluated(outputs, warned):
    fitness = FitnessSpec("macro-f1", CLASSES.classes).make(TASK, lambda _: None)
    total = fitness.layout.row(TASK.sums(outputs, LABELS), fitness.sums(outputs, LABELS))
    line = parent_line(TASK, fitness, CLASSES, total)
    assert line.startswith(f"the parent on all 40 images of select: macro F1 {0 if warned else 100}.00%")
    assert ("no better than chance" in line) == warned
    assert "chance" not in parent_line(TASK, fitness, None, total)
    before = ["the parent on 16 images of select", "The parent is no better than chance on these 16 images: …"]
    assert parent_line(TASK, fitness, CLASSES, total, before[:1]) == line
    assert line.startswith(quiet := parent_line(TASK, fitness, CLASSES, total, before)) and "chance" not in quiet
