"""The parent of a run, from whatever file it came: as it lies there, or built of it as the run built it."""

from __future__ import annotations

import json

import pytest
import torch

from evoray.config import parse_config
from evoray.errors import LineageError, ModelError, UsageError
from evoray.models import canonical_state, load_parent, mutable_names, read_state, write_state
from evoray.mutation import Lineage, Space, lineage_document, tensors_sha256
from evoray.results.export import export_member, rebuild_file
from evoray.results.parents import as_recorded, parent_of_run
from evoray.storage.directory import RunDirectory

CNN = {"source": "module", "name": "evoray.models.small:cnn"}


def recorded(folder, weights, kept=False, **keys):
    """The files of a run by which its networks are built again; (directory, the parent's digest)."""
    parent = {**CNN, "weights": str(weights), **keys}
    config = parse_config({"seed": 3, "parent": parent, "data": {"path": "mnist5k"}})
    loaded = load_parent(config.parent, seed=3)
    state, aliases = canonical_state(loaded.model)
    space = Space.from_state(state, mutable_names(loaded.model, ["*"], []), "rms")
    directory = RunDirectory(str(folder / "run"))
    directory.write_json("config.json", config.model_dump(mode="json"))
    directory.write_json("space.json", space.to_json())
    for name in ("parent", "best"):
        directory.write_json(f"lineage/{name}.json", lineage_document(loaded.name, state, space, Lineage(), aliases))
    if kept:
        write_state(folder / "run" / "parent.safetensors", state)
    return directory, tensors_sha256(state)


def trained(seed=1):
    torch.manual_seed(seed)
    from evoray.models import small

    return small.SmallCNN().state_dict()


def half(state, kind=torch.float16):
    return {name: one.to(kind) if one.is_floating_point() else one for name, one in state.items()}


FORMS = {
    "single": lambda state: state,
    "half": half,
    "bfloat16": lambda state: half(state, torch.bfloat16),
    "wrapped and half": lambda state: {"state_dict": {f"module.{name}": one for name, one in half(state).items()}},
    "averaged": lambda state: {"model": trained(2), "model_ema": half(state), "epoch": 3},
    "without counters": lambda state: {name: one for name, one in state.items() if "tracked" not in name},
    "double": lambda state: half({name: one.half() for name, one in state.items()}, torch.float64),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_run_exports_its_own_parent(form, tmp_path):
    """With the file it was made with, and without: ``config.json`` names it."""
    torch.save(FORMS[form](trained()), tmp_path / "a.pth")
    directory, digest = recorded(tmp_path, tmp_path / "a.pth")
    for given in (None, tmp_path / "a.pth"):
        assert export_member(directory, "best", tmp_path / "out.safetensors", given) == digest
        assert tensors_sha256(read_state(tmp_path / "out.safetensors")) == digest


@pytest.mark.parametrize("form", ["single", "half", "bfloat16"])
def test_a_lineage_and_a_file_are_enough_where_the_names_are_plain(form, tmp_path):
    torch.save(FORMS[form](trained()), tmp_path / "a.pth")
    _, digest = recorded(tmp_path, tmp_path / "a.pth")
    lineage = tmp_path / "run" / "lineage" / "best.json"
    assert rebuild_file(lineage, tmp_path / "a.pth", tmp_path / "out.safetensors").sha256 == digest


def test_a_random_parent_is_built_from_its_seed(tmp_path):
    directory, digest = recorded(tmp_path, "random")
    assert tensors_sha256(parent_of_run(directory, None)) == digest


def test_a_key_of_the_configuration_chooses(tmp_path):
    torch.save({"teacher": trained(1), "student": trained(2)}, tmp_path / "a.pth")
    directory, digest = recorded(tmp_path, tmp_path / "a.pth", weights_key="student")
    assert tensors_sha256(parent_of_run(directory, tmp_path / "a.pth")) == digest
    assert tensors_sha256(trained(2)) == digest


def test_a_run_that_keeps_its_parent_needs_no_file(tmp_path):
    torch.save(trained(), tmp_path / "a.pth")
    directory, digest = recorded(tmp_path, tmp_path / "a.pth", kept=True)
    (tmp_path / "a.pth").unlink()
    assert tensors_sha256(parent_of_run(directory, None)) == digest


@pytest.mark.parametrize(
    ("content", "error", "words"),
    [
        (trained(2), LineageError, "parent digest differs"),
        (half(trained(2)), LineageError, "parent digest differs"),
        ({"a": torch.zeros(1)}, LineageError, "parent digest differs"),
        ({"epoch": 3}, ModelError, "holds no state_dict"),
        ({"a": trained(2), "b": trained(3)}, ModelError, "several networks that fit"),
    ],
)
def test_another_parent_is_refused(content, error, words, tmp_path):
    torch.save(trained(), tmp_path / "a.pth")
    directory, _ = recorded(tmp_path, tmp_path / "a.pth")
    torch.save(content, tmp_path / "b.pth")
    with pytest.raises(error, match=words):
        export_member(directory, "best", tmp_path / "out.safetensors", tmp_path / "b.pth")
    assert not (tmp_path / "out.safetensors").exists()


def test_a_parent_that_is_gone_is_named(tmp_path):
    torch.save(trained(), tmp_path / "a.pth")
    directory, _ = recorded(tmp_path, tmp_path / "a.pth")
    (tmp_path / "a.pth").unlink()
    with pytest.raises(UsageError, match=r"keeps no parent\.safetensors .* Name the parent's checkpoint with --parent"):
        parent_of_run(directory, None)


def test_what_cannot_be_compared_stays_as_it_is():
    state = half(trained())
    for document in ({}, [], {"parent": 3}, {"parent": {}}, json.loads("null")):
        assert as_recorded(state, document) is state


@pytest.mark.slow
def test_a_half_precision_parent_of_more_than_64_mb(tmp_path):
    """ViT-B/16 in half precision, whose run keeps no parent: every network of the run can be exported."""
    from torchvision import models

    from evoray.results.lineages import SMALL_PARENT_BYTES

    vit = {"source": "torchvision", "name": "vit_b_16"}
    state = half(models.vit_b_16(weights=None).state_dict())
    torch.save({"state_dict": state}, tmp_path / "a.pth")
    assert sum(one.nbytes for one in state.values()) > SMALL_PARENT_BYTES
    directory, digest = recorded(tmp_path, tmp_path / "a.pth", **vit)
    for given in (None, tmp_path / "a.pth"):
        assert export_member(directory, "best", tmp_path / "out.safetensors", given) == digest
