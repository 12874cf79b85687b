"""Every family: a child's logits equal those of a fresh model loaded with the exported state; the parent is intact."""

from __future__ import annotations

import copy
import warnings

import pytest
import torch
from torchvision import models

from evoray.config import ParentConfig
from evoray.evaluation.host import ModelHost
from evoray.models import canonical_state, load_into, load_parent, mutable_names
from evoray.mutation import Lineage, Mutation, Space, child_state

FAMILIES = {
    "alexnet": 64,
    "vgg11_bn": 32,
    "resnet18": 32,
    "resnext50_32x4d": 32,
    "wide_resnet50_2": 32,
    "densenet121": 32,
    "googlenet": 32,
    "inception_v3": 75,
    "mobilenet_v2": 32,
    "mobilenet_v3_small": 32,
    "shufflenet_v2_x0_5": 32,
    "efficientnet_b0": 32,
    "regnet_y_400mf": 32,
    "convnext_tiny": 32,
    "vit_b_16": 224,
    "swin_t": 32,
    "maxvit_t": 224,
    "squeezenet1_1": 32,
    "mnasnet0_5": 32,
}


LARGE = ("alexnet", "vgg11_bn", "wide_resnet50_2", "vit_b_16")
"""More than 60 million weights each, with layers like the others': half of the time of all."""


def random_parent(name):
    parent = load_parent(ParentConfig(name=name, weights="random"))
    torch.manual_seed(0)
    for weight in parent.model.parameters():
        if not weight.any():  # heads that start at zero would answer zero whatever the rest does
            torch.nn.init.normal_(weight, std=0.02)
    return parent


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow if name in LARGE else ()) for name in FAMILIES]
)
def test_a_child_equals_its_export(name):
    parent = random_parent(name)
    state, aliases = canonical_state(parent.model)
    space = Space.from_state(state, mutable_names(parent.model, ("*",), ()), "rms")
    host = ModelHost(copy.deepcopy(parent.model), space, "cpu")
    mutation = Mutation(mask_seed=1, parts=10, part=3, noise_seed=2, sigma=0.1)
    lineage = Lineage().child(mutation)
    batch = torch.randn(2, 3, FAMILIES[name], FAMILIES[name])
    fresh = copy.deepcopy(parent.model)
    rebuilt = child_state(state, space, lineage)
    load_into(fresh, {**rebuilt, **{alias: rebuilt[own] for alias, own in aliases.items()}}, "the export")
    with torch.inference_mode():
        before = host.forward(batch)
        with host.child(lineage.entries):
            assert torch.equal(host.forward(batch), fresh(batch))
        assert torch.equal(host.forward(batch), before)
        assert torch.equal(before, parent.model(batch))
    assert not torch.equal(fresh(batch), before)


@pytest.mark.parametrize("weights", ["ResNet50_Weights.IMAGENET1K_V2", "ViT_B_16_Weights.IMAGENET1K_SWAG_E2E_V1"])
def test_an_enum_transform_is_taken_over(weights):
    from evoray.models.from_torchvision import _preset

    family, _, member = weights.partition(".")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        enum = getattr(models, family)[member]
    preset, found = enum.transforms(), _preset(enum)
    assert (found.resize, found.crop) == (preset.resize_size[0], preset.crop_size[0])
    assert found.interpolation == preset.interpolation.value
