"""The known answers of formats 1 and 2, every one of them."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from evoray.mutation import TABLE_SHA256, Entry, Mutation, Space, TensorSpec, apply_lineage, delta, quantiles
from evoray.mutation.layered import Layered

VECTORS, LAYERED = (
    json.loads((Path(__file__).parent / name).read_text()) for name in ("vectors.json", "vectors-layered.json")
)


def sha256(array: np.ndarray) -> str:
    return hashlib.sha256(array.astype(array.dtype.newbyteorder("<")).tobytes()).hexdigest()


def parent(n: int) -> np.ndarray:
    # The vectors count i in float32, which past 2**24 holds even numbers only. Up to there it is the
    # float32(i % 97) / float32(97) that vectors.json describes; in whole numbers the digest of the case of
    # 25,557,032 coordinates would be another, though indices and noise agree.
    return (np.arange(n, dtype=np.float32) % np.float32(97)) / np.float32(97)


def space(n: int) -> Space:
    return Space([TensorSpec("a", (n // 2,), "float32", 0.5), TensorSpec("b", (n - n // 2,), "float32", 2.0)])


def test_table() -> None:
    assert sha256(quantiles()) == VECTORS["table_sha256"] == TABLE_SHA256


@pytest.mark.parametrize("case", VECTORS["cases"], ids=lambda case: f"n{case['n']}-k{case['mutation']['part']}")
def test_case(case: dict[str, Any]) -> None:
    n, mutation = case["n"], Mutation(**case["mutation"])
    indices, noise = mutation.indices(n), mutation.noise(n)
    assert len(indices) == len(noise) == mutation.count(n) == case["count"]
    assert indices[:6].tolist() == case["first_indices"]
    assert noise[:6].tolist() == case["first_z"]
    assert (indices.dtype, sha256(indices)) == (np.int64, case["indices_sha256"])
    assert (noise.dtype, sha256(noise)) == (np.float32, case["z_sha256"])
    child = apply_lineage(parent(n), space(n), [Entry(case["weight"], mutation)])
    assert sha256(child) == case["child_sha256"]


def test_parent_as_described_below_two_to_the_24() -> None:
    described = (np.arange(2**16) % 97).astype(np.float32) / np.float32(97)
    assert np.array_equal(described, parent(2**16))


def test_delta_of_an_empty_mask() -> None:
    indices, values = delta(space(10), Mutation(**VECTORS["cases"][-1]["mutation"]))
    assert (indices.dtype, values.dtype, len(indices), len(values)) == (np.int64, np.float32, 0, 0)


@pytest.mark.parametrize("case", LAYERED["cases"], ids=lambda case: f"b{case['mutation']['blocks']}-k{case['count']}")
def test_case_of_format_2(case: dict[str, Any]) -> None:
    mutation, sizes = Layered(**case["mutation"]), case["tensor_sizes"]
    first, last = mutation.bounds(1000)
    deep = np.concatenate([np.arange(1000)[sum(sizes[:t]) : sum(sizes[: t + 1])] for t in case["depth_order"]])
    indices, noise = deep[first + mutation.positions(last - first)], mutation.noise(last - first)
    assert len(indices) == len(noise) == case["count"]
    assert indices[:6].tolist() == case["first_indices"]
    assert noise[:6].tolist() == case["first_z"]
    assert sha256(indices) == case["indices_sha256"]
    assert sha256(noise) == case["z_sha256"]
    # the vectors' scale changes at 500, inside the last tensor: as two tensors, one after the other, it is the same
    assert (sizes, case["depth_order"]) == ([100, 300, 5, 595], [2, 0, 3, 1])
    halves = zip((100, 300, 5, 95, 500), (0.5, 0.5, 0.5, 0.5, 2.0), strict=True)
    cut = Space([TensorSpec(f"t{i}", (n,), "float32", s) for i, (n, s) in enumerate(halves)], (2, 0, 3, 4, 1))
    assert delta(cut, mutation)[0].tolist() == sorted(indices)
    child = apply_lineage(parent(1000), cut, [Entry(case["weight"], mutation)])
    assert sha256(child) == case["child_sha256"]
