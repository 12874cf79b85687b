from __future__ import annotations

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from evoray.config import ParentConfig
from evoray.models import load_parent
from evoray.models.precision import of_file, of_network

KINDS = ["float16", "bfloat16", "float32", "float64"]


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "user_precise.py").write_text(
        "import torch\ndef net(): return torch.nn.Linear(4, 3)\ndef half(): return torch.nn.Linear(4, 3).half()\n"
    )
    return tmp_path


@pytest.mark.parametrize("function", ["net", "half"])
@pytest.mark.parametrize("kind", KINDS[:3])
def test_a_file_of_another_type_than_the_network_is_said_once(folder, kind, function):
    # values that every type holds
    state = {"weight": torch.arange(12.0).reshape(3, 4), "bias": torch.zeros(3)}
    save_file({name: one.to(getattr(torch, kind)) for name, one in state.items()}, folder / "a.safetensors")
    config = ParentConfig(source="module", name=f"user_precise:{function}", weights="a.safetensors")
    parent = load_parent(config, folder)
    own = {"net": "float32", "half": "float16"}[function]
    assert torch.equal(parent.model.weight.float(), state["weight"])
    lines = [note for note in parent.notes if "its weights are" in note]
    assert len(lines) == (kind != own)
    for line in lines:
        assert f"its weights are {kind} and" in line and f"what is exported is {own}" in line
        assert ("taken as they are" in line) == (own == "float32")


def test_most_weights_decide():
    own = {"w": torch.zeros(9), "b": torch.zeros(1)}
    assert not of_file({"w": torch.zeros(9), "b": torch.zeros(1).half(), "n": 3}, own, "f")
    assert of_file({"w": torch.zeros(9).half(), "b": torch.zeros(1)}, own, "f")
    assert not of_file({"n": torch.zeros(3, dtype=torch.int64)}, own, "f")


@pytest.mark.parametrize("own", KINDS)
@pytest.mark.parametrize("evaluated", KINDS[:3])
def test_a_network_that_is_evaluated_in_another_type_than_its_own(own, evaluated):
    lines = of_network(nn.Linear(4, 3).to(getattr(torch, own)), evaluated)
    assert len(lines) == (own not in ("float32", evaluated))
    assert all(f"weights are {own}" in line and f"evaluated in {evaluated} (compute.dtype)" in line for line in lines)


def test_a_network_without_weights():
    assert of_network(nn.Identity(), "float32") == ()


def test_before_the_type_is_found_nothing_is_said_of_it():
    assert of_network(nn.Linear(4, 3).half(), None) == ()
