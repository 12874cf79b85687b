from __future__ import annotations

import numpy as np
import pytest
import torch

from evoray.config import FitnessConfig
from evoray.errors import ConfigError
from evoray.fitness import fitness_spec
from evoray.tasks.image_classification import ImageClassification

TASK = ImageClassification()


def test_brier_by_hand():
    fitness = fitness_spec(FitnessConfig(name="brier"), ("a", "b", "c")).make(TASK, lambda _: None)
    logits = torch.tensor([[0.7, 0.2, 0.1], [0.7, 0.2, 0.1]]).log()
    labels = torch.tensor([0, 2])
    total = fitness.layout.row(TASK.sums(logits, labels), fitness.sums(logits, labels))
    expected = ((0.3**2 + 0.2**2 + 0.1**2) + (0.7**2 + 0.2**2 + 0.9**2)) / 2
    assert fitness.value(total) == pytest.approx(-expected, rel=1e-6)


@pytest.mark.parametrize("form", ["rows", "csv", "npy"])
def test_costs_from_rows_and_files(tmp_path, form):
    rows = [[0.0, 1.0], [5.0, 0.0]]
    given = rows
    if form == "csv":
        (tmp_path / "costs.csv").write_text("0,1\n5,0\n")
        given = "costs.csv"
    elif form == "npy":
        np.save(tmp_path / "costs.npy", np.array(rows))
        given = "costs.npy"
    fitness = fitness_spec(FitnessConfig(name="cost", costs=given), ("a", "b"), tmp_path).make(TASK, lambda _: None)
    labels = torch.tensor([0, 0, 1, 1])
    logits = torch.nn.functional.one_hot(torch.tensor([0, 1, 0, 2]), 3).float()
    total = fitness.layout.row(TASK.sums(logits, labels), fitness.sums(logits, labels))
    assert fitness.value(total) == -(0 + 1 + 5 + 5) / 4  # the last answer is none of the classes: the dearest


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("none.csv", "no such file"),
        ("words.csv", "not a matrix"),
        (((0.0, 1.0),), r"shape is \(1, 2\)"),
        (((0.0, float("inf")), (1.0, 0.0)), "finite"),
    ],
)
def test_costs_that_cannot_be_used_are_named(tmp_path, given, message):
    (tmp_path / "words.csv").write_text("one,two\n")
    with pytest.raises(ConfigError, match=message):
        fitness_spec(FitnessConfig(name="cost", costs=given), ("a", "b"), tmp_path)


@pytest.mark.parametrize(
    ("outputs", "answers", "labels", "cost"),
    [
        (None, [0, 1, 0, 2], [0, 0, 1, 1], (0 + 1 + 5 + 5) / 4),
        ((1, 0), [1, 0, 1, 2], [1, 1, 0, 0], (0 + 1 + 5 + 5) / 4),
        ((7, 3), [7, 3, 7, 0], [7, 7, 3, 3], (0 + 1 + 5 + 5) / 4),
        ((7, 3), [8, 8, 8, 8], [7, 7, 3, 3], (1 + 1 + 5 + 5) / 4),
    ],
)
def test_costs_are_of_the_datas_classes_whatever_outputs_they_are(outputs, answers, labels, cost):
    config = FitnessConfig(name="cost", costs=((0.0, 1.0), (5.0, 0.0)))
    fitness = fitness_spec(config, ("a", "b"), outputs=outputs).make(TASK, lambda _: None)
    logits, targets = torch.nn.functional.one_hot(torch.tensor(answers), 9).float(), torch.tensor(labels)
    total = fitness.layout.row(TASK.sums(logits, targets), fitness.sums(logits, targets))
    assert fitness.value(total) == -cost
    assert fitness.measure.sign * fitness.value(total) == cost and not fitness.measure.higher_is_better
