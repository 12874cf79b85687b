"""What is written is the child, bit for bit; what is taken back leaves nothing of it."""

from __future__ import annotations

import pytest
import torch
from fused_network import child
from recipes import DEEP_LINEAGE, LINEAGE, bits

from evoray.errors import LineageError
from evoray.models.engine.writing import Writer
from evoray.mutation import Lineage, Space, child_state, soup

SIZES = {"a.weight": (30, 7), "b.bias": (1,), "c.weight": (5, 11)}


def made(dtype, depth=None):
    generator = torch.Generator().manual_seed(0)
    state = {name: torch.randn(shape, generator=generator).to(dtype) for name, shape in SIZES.items()}
    space = Space.from_state(state, list(state), "rms")
    return state, space.with_depth(depth) if depth else space


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("engine", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize(
    "lineage",
    [child(1, 4), child(0, 1), LINEAGE, soup([child(0), child(1), child(2)], Lineage(), 3.0), Lineage()],
    ids=["sparse", "dense", "several", "soup", "parent"],
)
def test_a_written_child_is_the_child_and_the_parent_comes_back(dtype, engine, lineage):
    state, space = made(dtype)
    targets = {name: [one.to(engine).reshape(-1).clone()] * 1 for name, one in state.items()}
    writer = Writer(space, state, targets)
    for _ in range(2):  # the second replaces the first
        writer.write(lineage.entries)
    wanted = child_state(state, space, lineage)
    assert all(bits(targets[name][0]) == bits(one.to(engine).reshape(-1)) for name, one in wanted.items())
    writer.take_back()
    assert all(bits(targets[name][0]) == bits(one.to(engine).reshape(-1)) for name, one in state.items())


def test_layered_children_and_tensors_held_twice():
    state, space = made(torch.float32, depth=(2, 0, 1))
    targets = {name: [one.reshape(-1).clone(), one.reshape(-1).clone()] for name, one in state.items()}
    Writer(space, state, targets).write(DEEP_LINEAGE.entries)
    for name, one in child_state(state, space, DEEP_LINEAGE).items():
        assert all(bits(target) == bits(one.reshape(-1)) for target in targets[name])


def test_a_sparse_child_writes_what_it_changes():
    state, space = made(torch.float32)
    writer = Writer(space, state, {name: [one.reshape(-1).clone()] for name, one in state.items()})
    assert writer.write(child(0, 4).entries) == child(0, 4).entries[0].mutation.count(space.n) < space.n / 2


def test_a_child_that_cannot_be_drawn_leaves_the_parent():
    state, space = made(torch.float32)
    targets = {name: [one.reshape(-1).clone()] for name, one in state.items()}
    with pytest.raises(LineageError, match="format 1"):
        Writer(space, state, targets).write([*child().entries, *DEEP_LINEAGE.entries])
    assert all(bits(targets[name][0]) == bits(one.reshape(-1)) for name, one in state.items())
