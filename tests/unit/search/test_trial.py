from __future__ import annotations

import pytest
import torch

from evoray.config import parse_config
from evoray.data.splits import Splits
from evoray.search.trial import FEW, MANY, Trial
from evoray.tasks.image_classification import ImageClassification

SPEC = "mock:images=200,size=2,classes=3,channels=1,shard_size=160"


class First(torch.nn.Module):
    """Answers by the first pixel; counts its passes."""

    def __init__(self):
        super().__init__()
        self.passes = []

    def forward(self, images):
        self.passes.append(len(images))
        return torch.stack([images[:, 0, 0, 0], 1 - images[:, 0, 0, 0], torch.full((len(images),), -1.0)], dim=1)


@pytest.fixture
def trial():
    data = parse_config({"parent": {"source": "module", "name": "m:f"}, "data": {"path": SPEC}}).data
    return Trial(ImageClassification(), First(), Splits(data, 0, None), ((0.0,), (1.0,)))


@pytest.mark.parametrize("images", [1, 8, 64, 10_000])
def test_images_are_of_select_and_spread_over_its_first_shard(trial, images):
    outputs, targets = trial.outputs(images)
    rows = trial.splits.rows["select"][0]
    assert len(outputs) == len(targets) == min(images, len(rows))
    own = trial.splits.datasets["select"].load(0)
    assert targets[0] == own.labels[rows[0]] and targets[-1] == own.labels[rows[-1 if images > 1 else 0]]
    assert outputs[0, 0] == pytest.approx(own.images[rows[0], 0, 0, 0] / 255)


def test_answers_are_classes_of_the_outputs(trial):
    answers, labels = trial.answers(8)
    outputs, targets = trial.outputs(8)
    assert answers.tolist() == outputs.argmax(1).tolist() and labels.tolist() == targets.tolist()


@pytest.mark.parametrize(("seconds", "passes"), [(1e9, [FEW, MANY]), (0.0, [FEW])])
def test_a_slow_parent_sees_few(trial, seconds, passes, monkeypatch):
    monkeypatch.setattr("evoray.search.trial.SECONDS", seconds)
    assert len(trial.quick[1]) == passes[-1] and trial.model.passes == passes
    assert trial.quick[0] is trial.quick[0] and trial.model.passes == passes


def test_the_first_shard_is_read_once(trial, monkeypatch):
    read, dataset = [], trial.splits.datasets["select"]
    load = dataset.load
    monkeypatch.setattr(dataset, "load", lambda shard: read.append(shard) or load(shard))
    trial.outputs(3), trial.sample(torch.float32), trial.quick
    assert read == [0]
