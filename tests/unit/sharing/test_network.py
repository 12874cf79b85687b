from __future__ import annotations

import pytest
import torch
from torch import nn

from evoray.config import parse_config
from evoray.errors import ModelError, UsageError
from evoray.models import Parent, Preprocessing, small
from evoray.sharing.network import Pixels, build, example_of
from evoray.tasks.inputs import normalise


def config(**changed):
    values = {"parent": {"source": "module", "name": "evoray.models.small:cnn", "weights": "random"}}
    values["data"] = {"path": "mnist5k"}
    return parse_config(values | changed)


def state_of(model):
    return {name: torch.randn_like(one) if one.is_floating_point() else one for name, one in model.state_dict().items()}


def test_the_architecture_gets_the_members_weights():
    state = state_of(small.cnn().model)
    built = build(config(), state, None)
    assert all(torch.equal(one, state[name]) for name, one in built.model.state_dict().items())
    assert not built.model.training and built.preprocessing.mean == (0.2860,)


@pytest.mark.parametrize(
    ("weights", "mean"), [("IMAGENET1K_V1", (0.485, 0.456, 0.406)), ("random", (0.485, 0.456, 0.406))]
)
def test_torchvisions_own_weights_are_not_looked_for(weights, mean, monkeypatch):
    from torchvision import models

    monkeypatch.setenv("TORCH_HOME", "/absent")
    state = state_of(models.get_model("squeezenet1_1", weights=None, num_classes=1000))
    own = config(parent={"source": "torchvision", "name": "squeezenet1_1", "weights": weights})
    assert build(own, state, None).preprocessing.mean == mean


def test_other_tensors_are_refused():
    state = state_of(small.cnn().model)
    with pytest.raises(ModelError):
        build(config(), state | {"extra": torch.zeros(1)}, None)


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
