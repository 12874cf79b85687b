from __future__ import annotations

import hashlib
import json
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from recipes import DEPTH, bits, parent, space

from evoray.errors import LineageError, ModelError
from evoray.mutation import Space, TensorSpec

DTYPES = [torch.float32, torch.float16, torch.bfloat16]


def test_tensors_lie_in_byte_order_of_their_names() -> None:
    ours = space(parent())
    names = [spec.name for spec in ours.tensors]
    assert names == ["bn.weight", "conv.weight", "fc.bias", "fc.weight", "é.weight"]
    assert ours.offsets.tolist() == [0, 8, 224, 234, 314, 317]
    assert ours.n == 317


@pytest.mark.parametrize("dtype", DTYPES)
def test_flattening_and_back_keeps_every_bit(dtype: torch.dtype) -> None:
    state = parent(dtype)
    ours = space(state)
    flat = ours.flatten(state)
    assert flat.dtype == np.float32
    for name, tensor in ours.unflatten(flat).items():
        assert (tensor.dtype, tensor.shape) == (dtype, state[name].shape)
        assert bits(tensor) == bits(state[name])


def test_unflattened_tensors_do_not_share_the_flat_vector() -> None:
    ours = space(parent())
    flat = ours.flatten(parent())
    tensors = ours.unflatten(flat)
    flat[:] = 9
    assert bits(tensors["conv.weight"]) == bits(parent()["conv.weight"])


def test_scales_are_the_root_mean_squares() -> None:
    state = parent()
    scales = {spec.name: spec.scale for spec in space(state).tensors}
    assert scales["conv.weight"] == pytest.approx(float(state["conv.weight"].double().square().mean().sqrt()), 1e-6)
    assert scales["fc.bias"] == 0
    assert set(Space.from_state(state, list(scales), "absolute").scales.tolist()) == {1.0}


def test_scales_do_not_depend_on_the_number_of_threads() -> None:
    state = {"w": torch.randn(3_000_000)}
    threads, found = torch.get_num_threads(), set()
    try:
        for count in (1, 2, 3):
            torch.set_num_threads(count)
            found.add(Space.from_state(state, ["w"], "rms").sha256)
    finally:
        torch.set_num_threads(threads)
    assert len(found) == 1


@given(st.lists(st.floats(0, 2**99, width=32), min_size=1, max_size=5))
def test_json_round_trip_keeps_the_digest(scales: list[float]) -> None:
    ours = Space([TensorSpec(f"t{i}", (2, 3), "float16", scale) for i, scale in enumerate(scales)])
    document = json.loads(json.dumps(ours.to_json()))
    again = Space.from_json(document)
    assert np.array_equal(again.scales, ours.scales)
    text = json.dumps(document, sort_keys=True, separators=(",", ":"))
    assert again.sha256 == ours.sha256 == hashlib.sha256(text.encode()).hexdigest()


def test_a_scale_is_written_as_its_shortest_decimal() -> None:
    ours = Space([TensorSpec("t", (1,), "float32", float(np.float32(0.1)))])
    assert json.dumps(ours.to_json()["tensors"][0]["scale"]) == "0.1"


def test_one_value_a_tensor_is_repeated_for_its_coordinates() -> None:
    ours = space(parent())
    indices = np.array([0, 7, 8, 223, 233, 316])
    assert ours.per_coordinate(np.arange(5), indices).tolist() == [0, 0, 1, 1, 2, 4]


@pytest.mark.parametrize("dtype", [torch.float64, torch.int64])
def test_types_that_float32_does_not_hold_are_refused(dtype: torch.dtype) -> None:
    with pytest.raises(ModelError, match=r"w is (float|int)64: .*net\.float\(\).*mutation\.exclude = \['w'\]"):
        Space.from_state({"w": torch.ones(3, dtype=dtype)}, ["w"], "rms")


def test_values_that_are_not_finite_are_refused() -> None:
    with pytest.raises(ModelError, match="w has values that are not finite"):
        Space.from_state({"w": torch.tensor([1.0, float("nan")])}, ["w"], "rms")


@pytest.mark.parametrize(
    "change", [{"fc.bias": None}, {"fc.bias": torch.zeros(11)}, {"fc.bias": torch.zeros(10).half()}]
)
def test_a_parent_that_does_not_fit_is_refused_by_name(change: dict[str, Any]) -> None:
    state = {name: tensor for name, tensor in {**parent(), **change}.items() if tensor is not None}
    with pytest.raises(LineageError, match=r"fc\.bias"):
        space(parent()).flatten(state)


@pytest.mark.parametrize(
    "change",
    [
        {"dtype": "float64"},
        {"scale": -1},
        {"scale": float("nan")},
        {"scale": 1e39},
        {"scale": 0.1234567891234},
        {"scale": "1"},
        {"shape": [-1]},
        {"shape": [1.5]},
        {"shape": 3},
        {"name": 3},
        {"name": "z"},
        {"colour": 1},
    ],
)
def test_a_malformed_space_is_refused(change: dict[str, Any]) -> None:
    document = space(parent()).to_json()
    document["tensors"][0] |= change
    with pytest.raises(LineageError, match="the space is not one of format 1"):
        Space.from_json(document)


@pytest.mark.parametrize("document", [None, [], "x", {}, {"format": 3, "tensors": []}, {"format": 1, "tensors": [1]}])
def test_what_is_no_space_is_refused(document: Any) -> None:
    with pytest.raises(LineageError, match="the space is not one of format 1"):
        Space.from_json(document)


def test_a_space_without_depth_is_what_it_was() -> None:
    ours = space(parent())
    assert (ours.format, ours.to_json().keys()) == (1, {"format", "tensors"})
    assert ours.sha256 != ours.with_depth(DEPTH).sha256
    assert ours.with_depth(DEPTH).to_json() == {**ours.to_json(), "format": 2, "depth": list(DEPTH)}


@given(st.permutations(range(5)))
def test_the_order_of_first_use_is_kept_and_covered_by_the_digest(depth: list[int]) -> None:
    ours = space(parent()).with_depth(depth)
    document = json.loads(json.dumps(ours.to_json()))
    again = Space.from_json(document)
    assert again.depth == ours.depth == tuple(depth)
    text = json.dumps(document, sort_keys=True, separators=(",", ":"))
    assert again.sha256 == ours.sha256 == hashlib.sha256(text.encode()).hexdigest()


@given(st.permutations(range(5)), st.integers(0, 317), st.integers(0, 317))
def test_a_stretch_of_the_deep_vector_lies_in_runs_of_the_flat_one(depth: list[int], one: int, other: int) -> None:
    ours, (first, last) = space(parent()).with_depth(depth), sorted((one, other))
    edges = ours.offsets.tolist()
    deep = [i for t in depth for i in range(edges[t], edges[t + 1])]
    runs = ours.runs(first, last)
    assert [i for at, n in zip(runs.flat, runs.sizes, strict=True) for i in range(at, at + n)] == deep[first:last]
    assert runs.deep.tolist() == [first + int(runs.sizes[:i].sum()) for i in range(len(runs.sizes))]
    assert all(edges[t] <= at < edges[t + 1] for t, at in zip(runs.tensors, runs.flat, strict=True))
    assert runs.tensors.tolist() == [t for t in depth if t in runs.tensors]


@pytest.mark.parametrize(
    "change",
    [
        {"depth": None},
        {"depth": [0, 1, 2, 3]},
        {"depth": [0, 1, 2, 3, 3]},
        {"depth": [1, 2, 3, 4, 5]},
        {"depth": [0, True, 2, 3, 4]},
        {"depth": [0, 1.0, 2, 3, 4]},
        {"depth": ["0", 1, 2, 3, 4]},
        {"depth": [[0], 1, 2, 3, 4]},
        {"depth": {"0": 1}},
        {"depth": 3},
        {"format": 1},
        {"format": 3},
    ],
)
def test_a_malformed_depth_is_refused(change: dict[str, Any]) -> None:
    document = space(parent()).with_depth(DEPTH).to_json() | change
    with pytest.raises(LineageError, match="the space is not one of format 1, 2, 3 or 4"):
        Space.from_json(document)


def test_a_space_of_format_2_without_depth_is_refused() -> None:
    with pytest.raises(LineageError, match="depth is there in format 2, and only there"):
        Space.from_json({**space(parent()).to_json(), "format": 2})
    with pytest.raises(ValueError, match="numbers 0 to 4"):
        space(parent()).with_depth((0, 1))


def test_the_deep_vector_of_a_space_of_format_1_is_not_known() -> None:
    with pytest.raises(LineageError, match="does not say in which order tensors are used"):
        space(parent()).runs(0, 1)
