"""Architectures of timm and torchvision: judged pure, and a child's export gives its logits in a fresh network."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import purity
import pytest
import torch

from evoray.config import ParentConfig
from evoray.evaluation.host import ModelHost

RESULTS = Path(purity.__file__).parent / "results" / "purity.json"
SOME = [
    "torchvision/squeezenet1_1",  # ends in ReLU
    "torchvision/mobilenet_v3_small",
    "torchvision/shufflenet_v2_x0_5",
    "timm/test_vit",
    "timm/test_resnet",
    "timm/test_nfnet",  # weights standardised in every pass
    "timm/test_convnext",
    "timm/test_efficientnet_ln",
    "timm/levit_128s",  # attention biases kept at eval(), here and in the next two
    "timm/efficientvit_m0",
    "timm/efficientformerv2_s0",
    "timm/repvit_m0_9",
    "timm/convit_tiny",  # positions computed in the first pass
]
"""A few that take seconds together."""


@pytest.fixture(autouse=True)
def quiet():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@pytest.mark.parametrize("name", SOME)
def test_an_export_gives_the_childs_logits(name, tmp_path):
    found = purity.judged(*name.split("/"), tmp_path)
    assert found["verdict"] == "pure", found


def test_attention_biases_would_stay_the_parents(tmp_path, monkeypatch):
    monkeypatch.setattr(ModelHost, "renew", lambda host: None)
    found = purity.judged("timm", "efficientvit_m0", tmp_path)
    assert found["verdict"] == "refused" and "attention_bias_cache" in found["reason"], found


def test_what_was_found_of_all_that_were_tried():
    """The recorded results: nothing differs, and nothing is refused."""
    known = json.loads(RESULTS.read_text())
    verdicts = {one["verdict"] for one in known.values()}
    assert verdicts <= {"pure", "not built"} and len(known) >= 40
    assert all(one["reason"] for one in known.values() if one["verdict"] == "not built")


@pytest.mark.slow
@pytest.mark.timeout(6 * 3600)
def test_every_architecture_under_sixty_million_weights(tmp_path):
    """Hours on one core; ``tests/benchmarks/purity.py`` does the same and can be stopped."""
    wrong = {}
    for source, name in purity.architectures():
        if purity.weights_of(source, name) < purity.MOST_WEIGHTS:
            found = purity.judged(source, name, tmp_path)
            if found["verdict"] not in ("pure", "not built"):
                wrong[f"{source}/{name}"] = found
    assert wrong == {}


def test_a_fresh_timm_network_keeps_its_head(tmp_path):
    """Built from its name without weights, it has as many outputs as the parent."""
    from evoray.models import fresh_network, load_parent

    config = ParentConfig(source="timm", name="test_vit", weights="random")
    parent = load_parent(config)
    model = fresh_network(parent, config, None, 0, parent.model.state_dict())
    x = torch.randn(1, 3, 160, 160)
    with torch.inference_mode():
        assert torch.equal(model(x), parent.model(x))
