"""Folders, loaded by the libraries that they are for."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest
import timm
import torch
from safetensors.torch import load_file
from torchvision import models

from evoray.config import parse_config
from evoray.models.member import member_network
from evoray.results.export import Member
from evoray.sharing.folder import fill_folder, torchvision_ways, use_of
from evoray.storage.directory import RunDirectory

TIMM = ("test_resnet", "test_vit", "test_mambaout")


def config(source, name, **more):
    parent = {"source": source, "name": name, "weights": "random"} | more
    return parse_config({"parent": parent, "data": {"path": "mock:images=8,size=160,classes=7"}})


def state_of(model):
    random = torch.Generator().manual_seed(0)
    return {
        name: torch.rand(one.shape, generator=random) if one.is_floating_point() else one
        for name, one in model.state_dict().items()
    }


@pytest.fixture
def directory(tmp_path):
    directory = RunDirectory(str(tmp_path / "run"))
    directory.write_json("config.json", {"parent": {}})
    return directory


def filled(directory, folder, config, state):
    folder.mkdir()
    network, member = member_network(config, state, None), Member(state, "ab", b"{}")
    fill_folder(directory, folder, config, network, member, None)
    assert (folder / "lineage.json").read_bytes() == b"{}"
    return network.model, use_of(directory, config, network, member, True)


@pytest.mark.parametrize("name", TIMM)
def test_timm_loads_its_folder(directory, tmp_path, name):
    own = config("timm", name, classes=7, mean=(0.1, 0.2, 0.3), std=(0.4, 0.5, 0.6))
    state = state_of(timm.create_model(name, num_classes=7))
    network, use = filled(directory, tmp_path / "net", own, state)
    loaded = timm.create_model(f"local-dir:{tmp_path / 'net'}", pretrained=True).eval()
    images = torch.rand(2, 3, 160, 160)
    with torch.inference_mode():
        assert torch.equal(loaded(images), network(images)) and loaded.num_classes == 7
    found = timm.data.resolve_model_data_config(loaded)
    assert tuple(found["mean"]) == (0.1, 0.2, 0.3) and tuple(found["std"]) == (0.4, 0.5, 0.6)
    assert tuple(found["input_size"]) == (3, 160, 160)
    assert "local-dir" in use.snippet and "0.1, 0.2, 0.3" in use.preprocessing


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("resnet18", {"num_classes": 7}),
        ("vit_b_16", {"num_classes": 7}),
        ("squeezenet1_1", {"num_classes": 7}),
        ("densenet121", {}),
        ("googlenet", {"num_classes": 7, "aux_logits": True, "transform_input": True, "init_weights": False}),
        ("googlenet", {"num_classes": 7, "aux_logits": False, "transform_input": True, "init_weights": False}),
        ("fcn_resnet50", {"num_classes": 7, "weights_backbone": None, "aux_loss": True}),
    ],
)
def test_what_torchvision_is_given_is_found(name, given, monkeypatch):
    with torch.device("meta"):
        state = models.get_model(name, weights=None, **given).state_dict()
    monkeypatch.setattr("torch.hub.load_state_dict_from_url", None)  # nothing is fetched
    found = torchvision_ways(config("torchvision", name), state)
    with torch.device("meta"):
        again = models.get_model(name, **{"weights": None, **found}).state_dict()
    assert {key: one.shape for key, one in again.items()} == {key: one.shape for key, one in state.items()}


def test_torchvisions_snippet_loads_its_folder(directory, tmp_path, monkeypatch):
    own = config("torchvision", "squeezenet1_1", classes=7)
    network, use = filled(directory, tmp_path / "net", own, state_of(models.squeezenet1_1(num_classes=7)))
    monkeypatch.chdir(tmp_path / "net")
    names = {}
    exec(use.snippet, names)
    images = torch.rand(2, 3, 64, 64)
    with torch.inference_mode():
        assert torch.equal(names["model"](images), network(images))
    described = json.loads((tmp_path / "net/config.json").read_text())
    assert (described["architecture"], described["num_classes"]) == ("squeezenet1_1", 7)


def test_an_onnx_parents_folder_holds_the_graph(directory, tmp_path, monkeypatch):
    written = []
    monkeypatch.setattr("evoray.sharing.folder.write_state", lambda path, state: written.append((path.name, state)))
    own, member = (
        SimpleNamespace(parent=SimpleNamespace(source="onnx", name="/home/me/net.onnx")),
        Member({}, "", b"{}"),
    )
    fill_folder(directory, tmp_path, own, None, member, None)
    assert written == [("model.onnx", {})]
    assert json.loads((tmp_path / "config.json").read_text()) == {"library": "onnx", "architecture": "net.onnx"}


def test_the_names_of_the_outputs_are_the_datas(directory, tmp_path):
    directory.write_json("summary.json", {"classes": {"data": 7, "outputs": 7, "data_classes": [6, 5, 4, 3, 2, 1, 0]}})
    own = config("module", "evoray.models.small:cnn")
    own = own.model_copy(
        update={"data": own.data.model_copy(update={"path": "mock:images=8,size=28,classes=7,channels=1"})}
    )
    from evoray.models import small
    from evoray.sharing.folder import _class_names

    filled(directory, tmp_path / "net", own, small.cnn().model.state_dict())
    found = json.loads((tmp_path / "net/config.json").read_text())["label_names"]
    assert found == _class_names(directory, own) and len(found) == 7 and found != sorted(found)
    assert load_file(tmp_path / "net/model.safetensors").keys() == small.cnn().model.state_dict().keys()
