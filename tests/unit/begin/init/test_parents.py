from __future__ import annotations

import json

import pytest
import tiny_onnx
import torch
from torch import nn

from evoray.begin.init.parents import OWN, find_parent
from evoray.config import ParentConfig
from evoray.errors import ConfigError


def keys(found):
    return {key: value for key, value, _ in found.keys}


def test_an_architecture_has_the_library_s_best_weights(tmp_path):
    found = find_parent("resnet18", None, tmp_path)
    assert keys(found) == {"source": "torchvision", "name": "resnet18", "weights": "IMAGENET1K_V1"}
    assert (found.kind, found.outputs, found.own_file) == ("images", 1000, False)
    assert found.images.crop == 224 and any("download = true" in line for line in found.beside)


def test_an_architecture_takes_a_file_of_the_user_s(tmp_path):
    found = find_parent("resnet18", "mine.pth", tmp_path)
    assert keys(found)["weights"] == "mine.pth" and found.own_file and found.outputs is None
    assert any(line.startswith("# mean = [0.485, 0.456, 0.406]") for line in found.normalisation)


def test_a_network_of_segmentation_is_known_as_one(tmp_path):
    assert find_parent("fcn_resnet50", None, tmp_path).kind == "masks"


@pytest.mark.slow
def test_timm_has_its_tags(tmp_path):
    pytest.importorskip("timm")
    found = find_parent("timm/resnet18.a1_in1k", None, tmp_path)
    assert keys(found) == {"source": "timm", "name": "resnet18", "weights": "a1_in1k"}
    assert find_parent("vit_tiny_patch16_224", None, tmp_path).kind == "images"


@pytest.mark.parametrize(("named", "meant"), [("resnet81", "resnet18"), ("convnext_tinny", "convnext_tiny")])
def test_a_misspelt_architecture_is_answered_with_the_nearest(tmp_path, named, meant):
    with pytest.raises(ConfigError, match=f"--parent {named}: .*did you mean {meant}"):
        find_parent(named, None, tmp_path)


def test_a_name_with_an_owner_is_of_the_hub(tmp_path):
    found = find_parent("some/model", None, tmp_path)
    assert keys(found) == {"source": "transformers", "name": "some/model"} and "download" in found.beside[0]


def test_a_function_of_the_user_s_is_called_as_a_run_would(tmp_path):
    (tmp_path / "netfound.py").write_text(
        "from torch import nn\n"
        "from evoray import Parent, Preprocessing\n"
        "def plain():\n    return nn.Conv2d(1, 4, 3)\n"
        "def told():\n    return Parent(plain(), preprocessing=Preprocessing((0.5,), (0.5,), 32, 28, channels=1))\n"
    )
    plain, told = (find_parent(f"netfound:{name}", None, tmp_path) for name in ("plain", "told"))
    assert plain.own_file and plain.images.channels == 1 and any("mean" in line for line in plain.normalisation)
    assert not told.own_file and told.normalisation == () and told.images.crop == 28
    with pytest.raises(ConfigError, match="absent"):
        find_parent("netfound:absent", None, tmp_path)


@pytest.mark.parametrize(
    ("architecture", "kind"),
    [
        ("GPT2LMHeadModel", "generation"),
        ("LlamaForCausalLM", "generation"),
        ("BertForSequenceClassification", "text-classification"),
        ("BertModel", ""),
    ],
)
def test_a_folder_of_transformers_says_what_it_is_for(tmp_path, architecture, kind):
    (tmp_path / "config.json").write_text(json.dumps({"architectures": [architecture]}))
    found = find_parent(str(tmp_path), None, tmp_path)
    assert found.kind == kind and keys(found) == {"source": "transformers", "name": str(tmp_path)}


def test_an_onnx_file_is_looked_into(tmp_path):
    path = tmp_path / "net.onnx"
    path.write_bytes(tiny_onnx.images().SerializeToString())
    found = find_parent(str(path), None, tmp_path)
    assert keys(found) == {"source": "onnx", "name": str(path)} and found.images.channels == 1


def test_a_network_that_no_library_has_is_the_user_s_to_name(tmp_path):
    torch.save(nn.Linear(8, 5).state_dict(), tmp_path / "own.pt")
    found = find_parent(str(tmp_path / "own.pt"), None, tmp_path)
    assert keys(found) == {"source": "module", "name": OWN, "weights": str(tmp_path / "own.pt")}
    assert found.to_do and "2 tensors (weight … bias), 45 weights" in found.said[0]


def test_what_is_found_is_a_parent_that_a_run_takes(tmp_path):
    for named in ("resnet18", "fcn_resnet50", "some/model"):
        assert ParentConfig.model_validate(keys(find_parent(named, None, tmp_path)))
