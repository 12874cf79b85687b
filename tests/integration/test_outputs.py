"""A run on a part of ImageNet: labels are the outputs that the names say, and recorded; wrong names are refused."""

from __future__ import annotations

import re

import numpy as np
import pytest
from PIL import Image

from evoray.config import parse_config
from evoray.data import ImageTransform
from evoray.errors import ConfigError, DataError, ModelError
from evoray.ingest.ingest import ingest_folder
from evoray.search.inputs import check_inputs
from evoray.search.trial import Trial

PARENT = """
from torch import nn
from torchvision.models import ResNet50_Weights
from evoray import Parent

def parent():
    model = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 1000))
    return Parent(model, classes=tuple(ResNet50_Weights.DEFAULT.meta["categories"]))
"""


@pytest.fixture
def prepared(tmp_path, monkeypatch):
    """Checks a run of a parent that knows ImageNet on folders of the given names."""
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "imagenet_parent.py").write_text(PARENT)

    def make(*folders, **data):
        random = np.random.default_rng(0)
        for folder in folders:
            (tmp_path / "tree" / folder).mkdir(parents=True)
            for number in range(4):
                pixels = random.integers(256, size=(8, 8, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(tmp_path / "tree" / folder / f"{number}.png")
        ingest_folder(tmp_path / "tree", tmp_path / "shards", ImageTransform(resize=8, crop=8), workers=1)
        values = {
            "parent": {"source": "module", "name": "imagenet_parent:parent"},
            "data": {"path": str(tmp_path / "shards"), **data},
            "compute": {"backend": "local"},
        }
        return check_inputs(parse_config(values), tmp_path)

    return make


@pytest.mark.parametrize("folders", [("n01443537", "n01514859"), ("goldfish", "hen"), ("0001", "0008")])
def test_a_subset_is_measured_against_its_own_outputs(folders, prepared):
    inputs = prepared(*folders)
    assert inputs.config.data.outputs == (1, 8)
    shard = inputs.splits.datasets["select"].load(0)
    assert {source.partition("/")[0]: label for source, label in zip(shard.sources, shard.labels, strict=True)} == dict(
        zip(folders, (1, 8), strict=True)
    )
    assert inputs.identity()["data"]["select"] == inputs.splits.datasets["select"].digest


def test_names_that_the_parent_does_not_know_are_refused(prepared):
    with pytest.raises(DataError, match=r"2 are none of the parent's, such as goldfinches, hens.*data\.outputs"):
        prepared("goldfinches", "hens")


def test_the_user_may_say_which_outputs_they_are(prepared):
    assert set(prepared("goldfishes", "hens", outputs=[1, 8]).splits.datasets["select"].load(0).labels) == {1, 8}


@pytest.mark.parametrize(("outputs", "words"), [([1, 1000], "none of the parent's 1000 outputs"), ([1], "1 numbers")])
def test_outputs_that_do_not_exist_are_refused(outputs, words, prepared):
    with pytest.raises(ConfigError, match=rf"data\.outputs: .*{words}"):
        prepared("goldfishes", "hens", outputs=outputs)


def test_in_order_trusts_the_order(prepared):
    assert set(prepared("goldfishes", "hens", outputs="in-order").splits.datasets["select"].load(0).labels) == {0, 1}


GREYS = """
import torch
from torch import nn
from evoray import Parent

LEVELS = torch.tensor({levels}) / 255

class Greys(nn.Module):
    def __init__(self):
        super().__init__()
        self.levels = nn.Parameter(LEVELS.clone())

    def forward(self, images):
        return -500 * (images.mean(dim=(1, 2, 3))[:, None] - self.levels).square()

def unnamed():
    return Greys()

def named():
    return Parent(Greys(), classes={classes})
"""
WORDS = sorted(map(str, range(12)))
"""Folders 0 to 11 as ImageFolder orders them: 0, 1, 10, 11, 2, …"""


@pytest.fixture
def greys(tmp_path, monkeypatch):
    """Checks a run of a network that tells greys apart, on folders of one grey each: ``order`` is what its outputs are.

    name: of the function; others may be behind the outputs that are none of the data's.
    """
    monkeypatch.syspath_prepend(str(tmp_path))

    def make(order, name="unnamed", folders=WORDS, **values):
        level = {folder: 10 + 20 * at for at, folder in enumerate(sorted(folders))}
        module = f"greys_{abs(hash((*order, name, *folders)))}"
        source = GREYS.format(levels=[level.get(one, 250.0) * 1.0 for one in order], classes=tuple(order))
        (tmp_path / f"{module}.py").write_text(source)
        if not (tmp_path / "shards").exists():
            for folder in folders:
                (tmp_path / "tree" / folder).mkdir(parents=True)
                for number in range(4):
                    Image.new("RGB", (8, 8), (level[folder],) * 3).save(tmp_path / "tree" / folder / f"{number}.png")
            ingest_folder(tmp_path / "tree", tmp_path / "shards", ImageTransform(resize=8, crop=8), workers=1)
        config = {
            "parent": {"source": "module", "name": f"{module}:{name}"},
            "data": {"path": str(tmp_path / "shards"), **values.pop("data", {})},
            "compute": {"backend": "local"},
            "mutation": {"parts": 1},
            **values,
        }
        return check_inputs(parse_config(config), tmp_path)

    return make


def fitness_of(inputs):
    """The parent's fitness on its first shard of ``select``."""
    splits, spec = inputs.splits, inputs.fitness
    trial = Trial(inputs.task, inputs.parent.model, splits, ((0.0,) * 3, (1.0,) * 3))
    outputs, targets = trial.outputs(10_000)
    fitness = spec.make(inputs.task, lambda name: None)
    return fitness.value(fitness.layout.row(inputs.task.sums(outputs, targets), fitness.sums(outputs, targets)))


def test_folders_of_numbers_and_a_network_of_unnamed_outputs_are_asked_about(greys):
    words = (
        r'class 10 output 2.*"by-number" makes it output 10\. Top-1 on 24 images of select: 100% by "in-order", (\d+)%'
    )
    with pytest.raises(DataError, match=words) as raised:
        greys(WORDS)
    assert int(re.search(words, str(raised.value))[1]) < 40
    assert fitness_of(greys(WORDS, data={"outputs": "in-order"}, fitness={"name": "top1"})) == 1
    numbers = [str(number) for number in range(12)]
    assert fitness_of(greys(numbers, data={"outputs": "by-number"}, fitness={"name": "top1"})) == 1


@pytest.mark.parametrize("order", [WORDS, [str(number) for number in range(12)], WORDS[::-1]])
def test_with_names_every_network_is_right(order, greys):
    inputs = greys(order, "named", fitness={"name": "top1"})
    assert fitness_of(inputs) == 1
    assert inputs.said.notes[0] == inputs.classes.said and "by name" in inputs.classes.said


PETS = ["bird", "cat", "dog", "fish"]


@pytest.mark.parametrize("name", ["cost", "macro-f1", "balanced-accuracy", "worst-class", "top1", "nll", "brier"])
def test_a_network_that_numbers_its_outputs_otherwise_has_the_same_fitness(name, greys):
    """Four classes of seven outputs; the network takes dogs for fish, and one output is none of the data's."""
    costs = {"costs": [[0, 1, 2, 3], [4, 0, 5, 6], [7, 8, 0, 9], [1, 2, 3, 0]]} if name == "cost" else {}
    found = []
    for places in ([0, 1, 2, 3], [6, 4, 2, 0], [1, 0, 3, 5]):
        order = ["x"] * 7
        for at, taken in zip(places, ["bird", "cat", "fish", "dog"], strict=True):
            order[at] = taken
        given = {"data": {"outputs": places}, "fitness": {"name": name, **costs}}
        found.append(fitness_of(greys(order, folders=PETS, **given)))
    assert found[1:] == pytest.approx([found[0]] * 2, rel=1e-9)
    if name in ("macro-f1", "balanced-accuracy"):
        assert found[0] == 0.5  # two of four classes are right, and the others never


def test_named_classes_and_more_outputs_are_asked_about(greys):
    words = r'4 classes \(bird, cat, dog, fish\) and the parent 7 outputs without names.*100% by "in-order"'
    with pytest.raises(DataError, match=words):
        greys([*PETS, "x", "x", "x"], folders=PETS)
    assert fitness_of(greys([*PETS, "x", "x", "x"], folders=PETS, data={"outputs": "in-order"})) > -0.1


def test_one_output_is_no_classifier(greys):
    with pytest.raises(ModelError, match=r"1 output, the data 4 classes.*return a logit for each class"):
        greys(["bird"], folders=PETS)
