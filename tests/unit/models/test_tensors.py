from __future__ import annotations

import pytest
import torch
from torch import nn

from evoray.errors import ConfigError, ModelError
from evoray.models import canonical_state, mutable_names
from evoray.models.tensors import all_finite


def test_patterns_choose_parameters():
    model = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3))
    assert mutable_names(model, ("*",), ("1.*",)) == ["0.bias", "0.weight"]
    assert mutable_names(model, ("*.weight",), ()) == ["0.weight", "1.weight"]
    with pytest.raises(ConfigError, match=r'"2\*"'):
        mutable_names(model, ("0.*", "2*"), ())


class Tied(nn.Module):
    """A decoder that shares its weight with the embedding, and a buffer of whole numbers."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(5, 3)
        self.decoder = nn.Linear(3, 5)
        self.decoder.weight = self.embedding.weight
        self.register_buffer("steps", torch.tensor(3))


def test_a_tied_tensor_counts_once_under_the_first_name_in_byte_order():
    state, aliases = canonical_state(Tied())
    assert list(state) == ["decoder.bias", "decoder.weight", "steps"]
    assert aliases == {"embedding.weight": "decoder.weight"}


def test_names_are_in_byte_order():
    model = nn.ModuleDict({"b": nn.Linear(1, 1), "B": nn.Linear(1, 1), "a10": nn.Linear(1, 1), "a9": nn.Linear(1, 1)})
    assert list(canonical_state(model)[0]) == [
        f"{name}.{part}" for name in ("B", "a10", "a9", "b") for part in ("bias", "weight")
    ]
    assert mutable_names(model, ("*",), ()) == list(canonical_state(model)[0])


def test_the_state_is_a_copy_in_the_tensors_own_type():
    model = nn.Linear(4, 3).to(torch.bfloat16)
    state, _ = canonical_state(model)
    before = state["weight"].clone()
    with torch.no_grad():
        model.weight.zero_()
    assert state["weight"].dtype == torch.bfloat16 and torch.equal(state["weight"], before)
    assert not state["weight"].requires_grad


def test_a_channels_last_tensor_is_stored_as_everyone_elses():
    model = nn.Conv2d(3, 4, 2)
    plain, _ = canonical_state(model)
    turned, _ = canonical_state(model.to(memory_format=torch.channels_last))
    assert turned["weight"].is_contiguous() and torch.equal(turned["weight"], plain["weight"])


def test_two_empty_tensors_are_not_one():
    model = nn.ParameterDict({"a": nn.Parameter(torch.zeros(0)), "b": nn.Parameter(torch.zeros(0))})
    state, aliases = canonical_state(model)
    assert list(state) == ["a", "b"] and aliases == {}


def test_a_slice_is_another_tensor_than_the_whole():
    whole = torch.zeros(4)
    model = nn.Module()
    model.register_buffer("whole", whole)
    model.register_buffer("part", whole[:2])
    assert canonical_state(model)[1] == {}


def test_a_tied_tensor_is_chosen_and_left_out_by_any_of_its_names():
    assert mutable_names(Tied(), ("embedding.*",), ()) == ["decoder.weight"]
    assert mutable_names(Tied(), ("*",), ("embedding.*",)) == ["decoder.bias"]


def test_buffers_and_whole_numbers_are_not_mutated():
    model = nn.Sequential(nn.BatchNorm1d(3))
    model.register_parameter("count", nn.Parameter(torch.tensor([1]), requires_grad=False))
    model.register_parameter("empty", nn.Parameter(torch.zeros(0)))
    assert mutable_names(model, ("*",), ()) == ["0.bias", "0.weight"]


def test_nothing_left_is_an_error():
    with pytest.raises(ConfigError, match=r"mutation\.exclude leaves no parameter"):
        mutable_names(nn.Linear(2, 2), ("*",), ("*",))


@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf])
def test_a_parameter_that_is_not_finite_is_named(value):
    model = nn.Linear(2, 2)
    with torch.no_grad():
        model.bias[1] = value
    with pytest.raises(ModelError, match="bias holds NaN or infinity"):
        mutable_names(model, ("weight",), ())


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf"), None])
def test_all_finite(dtype, value):
    tensor = torch.full((70,), torch.finfo(dtype).max, dtype=dtype)  # whose sum overflows
    assert all_finite(tensor)
    assert all_finite(torch.zeros(3, 3, dtype=dtype))
    if value is not None:
        tensor[7] = value
        assert not all_finite(tensor)
