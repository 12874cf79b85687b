from __future__ import annotations

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from evoray.config import ParentConfig
from evoray.errors import ModelError
from evoray.models import check_outputs, load_parent
from evoray.models.precision import of_file, of_network, remedy

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


class Net(nn.Module):
    def __init__(self, first=None, last=None):
        super().__init__()
        self.first, self.last = nn.Linear(4, 4).to(first), nn.Linear(4, 3).to(last)
        self.cast = lambda x, layer: x

    def forward(self, x):
        for layer in (self.first, self.last):
            x = layer(self.cast(x, layer))
        return x


@pytest.mark.parametrize(
    ("first", "last", "named"),
    [
        (torch.float16, None, "float16: first.weight and 1 more, float32: last.weight and 1 more"),
        (None, torch.float16, "float32: first.weight and 1 more, float16: last.weight and 1 more"),
        (torch.bfloat16, None, "bfloat16: first.weight and 1 more, float32: last.weight and 1 more"),
        (torch.float64, None, "float64: first.weight and 1 more, float32: last.weight and 1 more"),
        (torch.float16, torch.bfloat16, "float16: first.weight and 1 more, bfloat16: last.weight and 1 more"),
    ],
)
def test_weights_of_several_types_are_named_and_the_remedy_works(first, last, named):
    model = Net(first, last)
    with pytest.raises(ModelError) as caught:
        check_outputs(model, torch.zeros(2, 4), 3)
    assert f"of several types ({named})" in str(caught.value) and "model.float()" in str(caught.value)
    assert "Ingest" not in str(caught.value)
    assert check_outputs(model.float(), torch.zeros(2, 4), 3) == 3


@pytest.mark.parametrize("fixed", [torch.float16, torch.bfloat16, torch.float64])
def test_a_pass_that_casts_to_a_fixed_type_is_told_to_cast_to_the_weights_own(fixed):
    model = Net(fixed, None)
    model.cast = lambda x, layer: x.to(fixed if layer is model.first else torch.float32)
    check_outputs(model, torch.zeros(2, 4), 3)  # as PyTorch runs it; a run has all its weights in one type
    with pytest.raises(ModelError, match=r"x\.to\(self\.conv\.weight\.dtype\)") as caught:
        check_outputs(model.float(), torch.zeros(2, 4), 3)
    assert "several types" not in str(caught.value) and "Ingest" not in str(caught.value)
    model.cast = lambda x, layer: x.to(layer.weight.dtype)
    assert check_outputs(model, torch.zeros(2, 4), 3) == 3


@pytest.mark.parametrize("error", [ValueError("mat1 and mat2 shapes cannot be multiplied"), KeyError("x")])
def test_what_fails_for_other_reasons_has_another_remedy(error):
    assert remedy(Net(torch.float16), error) is None
