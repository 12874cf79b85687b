from __future__ import annotations

import pytest
import torch
from torch import nn

from evoray.config import parse_config
from evoray.errors import UsageError
from evoray.models import Parent, Preprocessing, small
from evoray.sharing.network import Pixels, example_of
from evoray.tasks.inputs import normalise


def config(**changed):
    values = {"parent": {"source": "module", "name": "evoray.models.small:cnn", "weights": "random"}}
    values["data"] = {"path": "mnist5k"}
    return parse_config(values | changed)


@pytest.mark.parametrize(
    ("channels", "mean", "std"), [(1, (0.3,), (0.7,)), (3, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))]
)
def test_pixels_are_normalised_as_in_a_run(channels, mean, std):
    images = torch.randint(0, 256, (4, channels, 9, 5), dtype=torch.uint8)
    found = Pixels(nn.Identity(), mean, std)(images)
    assert torch.equal(found, normalise(images, mean, std, torch.float32))


def test_an_example_is_of_the_runs_data():
    example = example_of(config(), small.cnn())
    assert example.inputs.shape == (3, 1, 28, 28) and example.images.dtype == torch.uint8
    assert torch.equal(Pixels(nn.Identity(), example.mean, example.std)(example.images), example.inputs)


def test_without_the_data_it_is_noise_of_the_size_that_the_parent_asks_for():
    gone = config(data={"path": "/absent/shards"})
    own = Preprocessing(mean=(0.5,) * 3, std=(0.2,) * 3, resize=40, crop=32)
    example = example_of(gone, Parent(nn.Identity(), preprocessing=own))
    assert example.inputs.shape == (3, 3, 32, 32) and example.mean == (0.5,) * 3
    with pytest.raises(
        UsageError, match=r"what the network takes is not known: .*/absent/shards.*safetensors or torch"
    ):
        example_of(gone, small.cnn())
