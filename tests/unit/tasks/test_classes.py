"""What tasks of classes share: images and texts have the same figures, told in their own words."""

from __future__ import annotations

import pytest
import torch

from evoray.tasks.classes import Classes, class_measures
from evoray.tasks.registry import TASKS


@pytest.mark.parametrize(("name", "unit"), [("image-classification", "image"), ("text-classification", "text")])
def test_names_are_shared_and_units_are_not(name, unit):
    task = TASKS[name]()
    assert isinstance(task, Classes) and task.classification is task
    assert task.measures == class_measures(unit)
    assert task.measures["nll"].unit == f"nats per {unit}"


def test_figures_of_a_hand_made_case():
    task, logits = Classes(), torch.tensor([[2.0, 0.0], [0.0, 1.0], [1.0, 0.0]])
    targets = torch.tensor([0, 1, 1])
    total = dict(zip(task.columns, task.sums(logits, targets), strict=True))
    assert total["n"] == 3 and task.figures(total)["top1"].value == pytest.approx(2 / 3)
    kept = task.evaluated(task.records(task.predictions(logits), targets))
    assert kept["nll"].value == pytest.approx(task.figures(total)["nll"].value)
    assert list(kept) == ["top1", "top5", "nll", "ece", "brier"]
