"""Every kind of mutation: a recipe is all that it takes to draw it again, wherever, and in whatever pieces."""

from __future__ import annotations

import json
import pickle
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from evoray.config import parse_config
from evoray.evaluation.host import ModelHost
from evoray.mutation import Entry, Lineage, Space, apply_lineage, delta, delta_blocks
from evoray.mutation.registry import KINDS

OWN = "user_kind:Stretch"
"""A user's, which EvoRay does not know."""
OPTIONS = {
    "partition": [{"parts": 1}, {"parts": 7}],
    "layered": [{"blocks": 1, "parts": 5}, {"blocks": 4, "parts": 1}, {"blocks": 4, "parts": 3}],
    "towards": [{"towards": ("a.pth", "b.pth")}],
    OWN: [{"stretches": 5}],
}
every = pytest.mark.parametrize(("kind", "options"), [(kind, one) for kind, some in OPTIONS.items() for one in some])
DEPTH = (3, 0, 2, 4, 1)


class Five(nn.Module):
    """Parameters of 1, 96, 5, 200 and 60 weights."""

    def __init__(self):
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        shapes = {"a": (1,), "b": (4, 8, 3), "c": (5,), "d": (20, 10), "e": (60,)}
        for name, shape in shapes.items():
            self.register_parameter(name, nn.Parameter(torch.randn(shape, generator=generator)))


STATE = Five().state_dict()
PLAIN = Space.from_state(STATE, list(STATE), "rms").with_depth(DEPTH)
DIFFERENCES = np.random.default_rng(1).normal(size=(2, PLAIN.n)).astype(np.float32)
SPACE = PLAIN.with_towards(["0" * 64, "1" * 64], DIFFERENCES)
FLAT = SPACE.flatten(STATE)


def config_of(kind, options, **mutation):
    values = {"parent": {"name": "resnet18", "weights": "random"}, "data": {"path": "mnist5k"}}
    if mutation.get("subspace") == "static":
        values["search"] = {"strategy": "cma-es", "dimensions": 2}
    return parse_config({**values, "mutation": {"kind": kind, **options, **mutation}}).mutation


def draw(kind, options, child, seed=3, generation=1, **mutation):
    return KINDS.find(kind).draw(config_of(kind, options, **mutation), 0.25, seed, generation, child)


def test_every_kind_is_held_to_the_contract():
    assert OPTIONS.keys() == {*KINDS.names, OWN}


@every
def test_a_child_is_a_function_of_its_address(kind, options):
    recipes = {(s, g, c): draw(kind, options, c, s, g) for s in (3, 4) for g in (0, 1) for c in range(6)}
    assert all(draw(kind, options, c, s, g) == one for (s, g, c), one in recipes.items())
    assert len(set(recipes.values())) == len(recipes)


@every
@settings(max_examples=25)
@given(child=st.integers(0, 40), cuts=st.lists(st.integers(0, SPACE.n), max_size=5))
def test_ranges_together_are_the_whole(kind, options, child, cuts):
    recipe = draw(kind, options, child)
    indices, values = delta(SPACE, recipe)
    assert (indices.dtype, values.dtype, len(indices)) == (np.int64, np.float32, len(values))
    assert len(indices) <= recipe.at_most(SPACE)
    assert all(before < after for before, after in pairwise(indices))
    pieces = [delta(SPACE, recipe, start, stop) for start, stop in pairwise([0, *sorted(cuts), SPACE.n])]
    assert np.concatenate([one for one, _ in pieces]).tobytes() == indices.tobytes()
    assert np.concatenate([one for _, one in pieces]).tobytes() == values.tobytes()


@every
def test_pieces_of_so_many_weights_together_are_the_whole(kind, options):
    for weights in (1, 3, 50, 10**6):
        pieces = list(delta_blocks(SPACE, Entry(1.0, draw(kind, options, 2)), weights))
        for found, expected in zip(zip(*pieces, strict=True), delta(SPACE, draw(kind, options, 2)), strict=True):
            assert np.concatenate(found).tobytes() == expected.tobytes()


@every
def test_only_its_tensors_change(kind, options):
    for child in range(12):
        recipe = draw(kind, options, child)
        changed = np.searchsorted(SPACE.offsets, delta(SPACE, recipe)[0], side="right") - 1
        assert set(changed) <= set(recipe.tensors(SPACE)) <= set(range(5))


@every
def test_disjoint_mutations_in_turn_change_every_weight_once(kind, options):
    count = int(config_of(kind, options).disjoint)
    drawn = [delta(SPACE, draw(kind, options, child))[0] for child in range(count)]
    assert sorted(np.concatenate(drawn).tolist()) == list(range(SPACE.n))


@every
def test_opposite_children_and_a_static_subspace(kind, options):
    for pair in range(4):
        (indices, plus), (same, minus) = (
            delta(SPACE, draw(kind, options, 2 * pair + one, antithetic=True)) for one in (0, 1)
        )
        assert np.array_equal(indices, same) and np.array_equal(plus, -minus) and plus.any()
    masks = [delta(SPACE, draw(kind, options, child, generation=child, subspace="static"))[0] for child in range(4)]
    assert all(np.array_equal(mask, masks[0]) for mask in masks)


@every
def test_it_travels_and_is_read_again(kind, options):
    recipe = draw(kind, options, 5)
    assert pickle.loads(pickle.dumps(recipe)) == recipe
    lineage = Lineage((Entry(0.5, recipe),))
    assert Lineage.from_json(json.loads(json.dumps(lineage.to_json()))) == lineage
    schema = pa.schema([(name, pa.type_for_alias(one)) for name, one in recipe.columns.items()])
    row = pa.Table.from_pylist([recipe.row()], schema=schema).to_pylist()[0]
    assert type(recipe).from_row(row) == recipe


@every
def test_what_a_worker_evaluates_is_what_is_rebuilt(kind, options):
    """Scattered or streamed, alone or on top of others; and undone to the bit."""
    host = ModelHost(Five(), SPACE, "cpu")
    assert host.flat.numpy().tobytes() == FLAT.tobytes()
    for children in ([0], [3], [0, 0], [1, 2, 5]):
        tail = tuple(Entry(0.5, draw(kind, options, child)) for child in children)
        with host.child(tail):
            assert host.flat.numpy().tobytes() == apply_lineage(FLAT.copy(), SPACE, tail).tobytes()
        assert host.flat.numpy().tobytes() == FLAT.tobytes()
