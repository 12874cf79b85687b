"""A run on a part of ImageNet: labels are the outputs that the names say, and recorded; wrong names are refused."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from evoray.config import parse_config
from evoray.data import ImageTransform
from evoray.errors import ConfigError, DataError
from evoray.ingest.ingest import ingest_folder
from evoray.search.inputs import check_inputs

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
