from __future__ import annotations

import pytest
from torchvision import models

from evoray.config import parse_config
from evoray.config.weights import member_of
from evoray.errors import ConfigError


def weights_of(name, weights, source="torchvision"):
    parent = {"source": source, "name": name, "weights": weights}
    return parse_config({"parent": parent, "data": {"path": "x"}}).parent.weights


@pytest.mark.parametrize(
    "weights",
    [
        *("IMAGENET1K_V2", "imagenet1k_v2", "ResNet50_Weights.IMAGENET1K_V2", "models.ResNet50_Weights.IMAGENET1K_V2"),
        *("torchvision.models.ResNet50_Weights.IMAGENET1K_V2", "ResNet50_Weights.imagenet1k_v2"),
    ],
)
@pytest.mark.parametrize("name", ["resnet50", "ResNet50"])
def test_an_enums_member_by_any_of_its_names(name, weights):
    assert weights_of(name, weights) == "IMAGENET1K_V2"


@pytest.mark.parametrize("weights", ["DEFAULT", "default", "ViT_B_16_Weights.DEFAULT"])
def test_the_default(weights):
    assert weights_of("vit_b_16", weights) == "DEFAULT"


def test_every_member_of_every_classifier_is_understood():
    for name in models.list_models(module=models):
        for member in models.get_model_weights(name).__members__.values():
            assert member_of("torchvision", name, str(member)) == member.name


@pytest.mark.parametrize(
    "weights", ["random", "best.pth", "a/IMAGENET1K_V2.pth", "my_Weights.pth", "Weights.V1", "~/w", "default.pt"]
)
def test_other_names_stay(weights):
    assert weights_of("resnet50", weights) == weights


@pytest.mark.parametrize("source", ["timm", "module"])
def test_other_sources_names_stay(source):
    name = "a:b" if source == "module" else "resnet50"
    assert weights_of(name, "ResNet50_Weights.DEFAULT", source) == "ResNet50_Weights.DEFAULT"


@pytest.mark.parametrize("weights", ["ResNet18_Weights.IMAGENET1K_V1", "torchvision.models.ViT_B_16_Weights.DEFAULT"])
def test_weights_of_another_architecture_are_refused(weights):
    with pytest.raises(ConfigError, match=r"are those of (resnet18|vit_b_16), and name = .resnet50."):
        weights_of("resnet50", weights)


def test_an_unknown_member_is_told_the_known_ones(tmp_path):
    from evoray.config import ParentConfig
    from evoray.models import load_parent

    config = ParentConfig(name="resnet50", weights="ResNet50_Weights.IMAGENET1K_V3")
    with pytest.raises(ConfigError, match=r"no such file, and none of torchvision's IMAGENET1K_V1, IMAGENET1K_V2"):
        load_parent(config, tmp_path)
