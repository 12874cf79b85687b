from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from evoray.config import parse_config
from evoray.data.splits import Splits
from evoray.models import check_outputs
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


def of(net, outputs="in-order", spec=SPEC, channels=1, **keys):
    data = {"path": spec, "outputs": outputs, **keys}
    data = parse_config({"parent": {"source": "module", "name": "m:f"}, "data": data}).data
    return Trial(ImageClassification(), net, Splits(data, 0, None), ((0.0,) * channels, (1.0,) * channels), True)


def test_one_pass_serves_outputs_figures_and_layout():
    trial = of(First())
    answered = trial.answered
    assert check_outputs(answered, answered.images, 3) == 3
    assert trial.few[0] is trial.first_pass.outputs and trial.took_channels_last
    trial.check(), trial.classes_out()
    assert trial.model.passes == [FEW]


class Viewing(First):
    """Takes no images in channels-last."""

    def forward(self, images):
        images.view(-1)
        return super().forward(images)


def test_a_network_that_takes_no_channels_last_is_shown_its_images_as_they_are():
    trial = of(Viewing(), spec=SPEC.replace("channels=1", "channels=3"), channels=3)
    assert not trial.first_pass.channels_last and not trial.took_channels_last
    assert trial.answered.images.is_contiguous() and trial.model.passes == [FEW]
    other = replace(trial, model=First())
    assert other.first_pass.channels_last and other.took_channels_last


@pytest.mark.parametrize(
    "forward",
    [
        lambda self, images: (_ for _ in ()).throw(RuntimeError("no")),
        lambda self, images: {"logits": torch.zeros(len(images), 3)},
    ],
    ids=["raises", "no tensor"],
)
def test_what_a_task_cannot_use_is_asked_by_itself(forward):
    trial = of(type("Net", (torch.nn.Module,), {"forward": forward})())
    assert trial.answered is None and not trial.took_channels_last


class Twice(ImageClassification):
    def outputs(self, network, batch):
        return super().outputs(network, batch) + super().outputs(network, batch)


class Other(ImageClassification):
    def outputs(self, network, batch):
        return network(batch.inputs[:, :, :1])


@pytest.mark.parametrize("task", [Twice(), Other()], ids=["two calls", "other images"])
def test_a_task_that_calls_its_network_otherwise_says_nothing_of_whole_images(task):
    assert replace(of(First()), task=task).answered is None


def test_other_labels_of_the_same_records_need_no_other_pass():
    trial = of(First())
    trial.first_pass  # noqa: B018
    other = trial.relabelled(of(First(), [2, 0, 1]).splits)
    (outputs, targets), (mine, own) = other.few, trial.few
    assert outputs is mine and trial.model.passes == [FEW]
    assert targets.tolist() == [[2, 0, 1][label] for label in own.tolist()]


def test_other_records_are_passed_again():
    trial = of(First())
    trial.first_pass  # noqa: B018
    other = trial.relabelled(of(First(), select=0.2).splits)
    assert not np.array_equal(other.first_pass.rows, trial.first_pass.rows)
    assert trial.model.passes == [FEW, FEW]


@pytest.mark.parametrize(("first", "passes"), [(0.03, [FEW, FEW, MANY]), (0.15, [FEW]), (0.001, [FEW, MANY])])
def test_a_slow_first_pass_is_timed_again_where_that_is_soon_done(first, passes, monkeypatch):
    trial = of(First())
    trial.__dict__["first_pass"] = replace(trial.first_pass, seconds=first)
    assert len(trial.quick[1]) == passes[-1] and trial.model.passes == passes
