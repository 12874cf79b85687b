"""Networks of segmentation: nothing is fetched for a backbone, and auxiliary heads are there where a file has them."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from evoray.config import ParentConfig
from evoray.models import from_torchvision
from evoray.models.from_torchvision import _ways, load, preprocessing


def config(name, weights="random"):
    return ParentConfig(source="torchvision", name=name, weights=weights)


@pytest.mark.parametrize(
    ("name", "trained", "ways"),
    [
        ("fcn_resnet50", True, {"weights_backbone": None, "aux_loss": True}),
        ("fcn_resnet50", False, {"weights_backbone": None}),
        ("lraspp_mobilenet_v3_large", True, {"weights_backbone": None}),
        ("resnet18", True, {}),
    ],
)
def test_how_an_architecture_is_built(name, trained, ways):
    assert _ways(name, from_torchvision._named(config(name))[0], trained) == ways


def test_one_of_segmentation_is_random_without_a_network(monkeypatch):
    monkeypatch.setattr(torch.hub, "load_state_dict_from_url", lambda *_, **__: pytest.fail("it would be fetched"))
    found = load(config("lraspp_mobilenet_v3_large"), None)
    own = found.preprocessing
    assert own.mean == (0.485, 0.456, 0.406) and (own.resize, own.crop) == (520, None)
    assert preprocessing(config("lraspp_mobilenet_v3_large")) == own


class Headed(nn.Module):
    def __init__(self, aux_loss):
        super().__init__()
        self.body = nn.Linear(2, 2)
        if aux_loss:
            self.aux_classifier = nn.Linear(2, 2)


@pytest.mark.parametrize("aux", [True, False])
def test_a_file_with_and_without_the_auxiliary_head(tmp_path, monkeypatch, aux):
    def build(*, weights=None, aux_loss=None, weights_backbone="fetched"):
        assert weights_backbone is None
        return Headed(aux_loss)

    torch.save(Headed(aux).state_dict(), tmp_path / "own.pth")
    enum = from_torchvision._named(config("fcn_resnet50"))[1]
    monkeypatch.setattr(from_torchvision, "_named", lambda config: (build, enum))
    model = load(config("fcn_resnet50", str(tmp_path / "own.pth")), tmp_path).model
    assert hasattr(model, "aux_classifier") == aux
