"""Where tensors lie that an engine lays together, and plain weights in place of packed ones."""

from __future__ import annotations

import pytest
import torch
from fused_network import FUSED, fused, pack, parent

from evoray.errors import ModelError
from evoray.models.engine.fused import Place, place_of, places, unpack, views

SHAPES = {"a.q_proj.weight": (4, 3), "a.k_proj.weight": (2, 3), "a.v_proj.weight": (2, 3), "a.o_proj.weight": (3, 4)}
STATE = {name: torch.zeros(shape) for name, shape in SHAPES.items()}
KNOWN = {"a.qkv_proj.weight": torch.zeros(8, 3), "a.o_proj.weight": torch.zeros(3, 4)}


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("a.q_proj.weight", Place("a.qkv_proj.weight", 0, 12)),
        ("a.k_proj.weight", Place("a.qkv_proj.weight", 12, 6)),
        ("a.v_proj.weight", Place("a.qkv_proj.weight", 18, 6)),
        ("a.o_proj.weight", Place("a.o_proj.weight", 0, 12)),
    ],
)
def test_a_tensor_is_found_whole_or_in_a_fused_one(name, place):
    assert place_of(name, STATE, FUSED, KNOWN) == place


def test_a_tensor_that_the_engine_calls_otherwise_is_refused():
    with pytest.raises(ModelError, match=r"no b\.weight of the parent's .*Export the child as a folder"):
        places({**STATE, "b.weight": torch.zeros(1)}, FUSED, KNOWN)


def test_views_are_the_engines_own_memory_and_a_tied_tensor_is_one(tmp_path):
    model, state, aliases, _ = parent(tmp_path)
    engine = fused(model)
    every = state | {alias: state[own] for alias, own in aliases.items()}
    held = views(engine, every, places(every, FUSED, dict(engine.named_parameters(remove_duplicate=False))), aliases)
    assert held.keys() == state.keys() and aliases
    assert all(len(found) == 1 for found in held.values())
    held["model.layers.0.self_attn.v_proj.weight"][0].fill_(3.0)
    assert engine.model.layers.get_submodule("0").self_attn.qkv_proj.weight[-1].eq(3.0).all()


@pytest.mark.parametrize("spoil", ["other values", "transposed", "shorter"])
def test_an_engine_that_holds_something_else_is_refused(tmp_path, spoil):
    model, state, aliases, _ = parent(tmp_path)
    engine = fused(model)
    weight = engine.model.layers.get_submodule("1").self_attn.o_proj.weight
    if spoil == "other values":
        weight[0, 0] += 1.0
    else:
        weight.data = weight.data.t() if spoil == "transposed" else weight.data[:-1]
    with pytest.raises(ModelError, match=r"does not hold the parent's model\.layers\.1\.self_attn\.o_proj\.weight"):
        views(engine, state, places(state, FUSED, dict(engine.named_parameters(remove_duplicate=False))), aliases)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_packed_weights_are_given_back(tmp_path, dtype):
    model, state, aliases, _ = parent(tmp_path)
    engine, plain = pack(fused(model, dtype)), fused(model, dtype)
    found = places(state, FUSED, dict(engine.named_parameters(remove_duplicate=False)))
    assert unpack(engine, state, found) == 2 * 4 + 2
    wanted = dict(plain.named_parameters())
    assert all(torch.equal(one, wanted[name]) for name, one in engine.named_parameters())
    assert views(engine, state, found, aliases).keys() == state.keys()


def test_a_packed_copy_of_something_else_is_refused(tmp_path):
    model, state, _, _ = parent(tmp_path)
    engine = pack(fused(model))
    state["model.layers.0.mlp.up_proj.weight"] = state["model.layers.0.mlp.up_proj.weight"].flip(0)
    found = places(state, FUSED, dict(engine.named_parameters(remove_duplicate=False)))
    with pytest.raises(ModelError, match=r"model\.layers\.0\.mlp\.gate_up_proj gives other products"):
        unpack(engine, state, found)


def test_a_bias_that_packing_widened_is_narrowed():
    engine = torch.nn.Module()
    engine.add_module("fc", torch.nn.Linear(3, 2, dtype=torch.bfloat16).requires_grad_(False))
    state = {f"fc.{name}": one.clone() for name, one in engine.fc.named_parameters()}
    inputs, own = torch.ones(1, 3, dtype=torch.bfloat16), state["fc.weight"]
    engine.fc.cpu_linear = lambda x, weight, bias: torch.nn.functional.linear(x, own)
    engine.fc.bias.data, engine.fc.weight = engine.fc.bias.float(), torch.nn.Parameter(own[:0], requires_grad=False)
    assert unpack(engine, state, places(state, {}, dict(engine.named_parameters()))) == 1
    assert torch.equal(engine.fc.bias, state["fc.bias"])
    assert torch.equal(engine.fc.cpu_linear(inputs, engine.fc.weight, engine.fc.bias), engine.fc(inputs))
