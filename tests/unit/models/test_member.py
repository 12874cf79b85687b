"""A member of a run as a network again."""

from __future__ import annotations

import pytest
import torch

from evoray.config import parse_config
from evoray.errors import ModelError
from evoray.models import small
from evoray.models.member import member_network


def config(**changed):
    values = {"parent": {"source": "module", "name": "evoray.models.small:cnn", "weights": "random"}}
    values["data"] = {"path": "mnist5k"}
    return parse_config(values | changed)


def state_of(model):
    return {name: torch.randn_like(one) if one.is_floating_point() else one for name, one in model.state_dict().items()}


def test_the_architecture_gets_the_members_weights():
    state = state_of(small.cnn().model)
    built = member_network(config(), state, None)
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
    assert member_network(own, state, None).preprocessing.mean == mean


def test_other_tensors_are_refused():
    state = state_of(small.cnn().model)
    with pytest.raises(ModelError):
        member_network(config(), state | {"extra": torch.zeros(1)}, None)
