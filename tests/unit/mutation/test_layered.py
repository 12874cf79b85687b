"""The kind ``layered``: blocks by depth, and what a mutation of one changes."""

from __future__ import annotations

import json
import math
import pickle
from collections import Counter
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from recipes import DEEP_LINEAGE, DEPTH, layered, parent, space

from evoray.errors import ConfigError, LineageError
from evoray.mutation import Entry, Lineage, Mutation, Space, delta, delta_blocks, lineage_document, rebuild
from evoray.mutation.allocation import CHEAPEST
from evoray.mutation.layered import Layered, LayeredConfig

STATE = parent()
SPACE = space(STATE).with_depth(DEPTH)
EDGES = SPACE.offsets.tolist()
DEEP = np.concatenate([np.arange(EDGES[t], EDGES[t + 1]) for t in DEPTH])
"""The flat coordinate of each deep one."""
GOOD: dict[str, Any] = {
    **{"blocks": 4, "block": 1, "parts": 3, "part": 2},
    **{"mask_seed": 1, "noise_seed": 2, "sigma": 0.1, "sign": 1},
}


def by_the_page(mutation: Layered) -> tuple[np.ndarray, np.ndarray]:
    """Format 2 as it is written: ``partition`` of a space that is the block alone, laid where the block lies."""
    first, last = mutation.block * SPACE.n // mutation.blocks, (mutation.block + 1) * SPACE.n // mutation.blocks
    inner = Mutation(**mutation.model_dump(include={"parts", "part", "mask_seed", "noise_seed", "sigma", "sign"}))
    coordinates = DEEP[first:last][inner.indices(last - first)]
    scales = np.repeat(SPACE.scales, np.diff(SPACE.offsets))[coordinates]
    amplitude = np.float32(mutation.sign) * (np.float32(mutation.sigma) * scales)
    order = np.argsort(coordinates)
    return coordinates[order], (inner.noise(last - first) * amplitude)[order]


@given(layered())
def test_a_block_is_a_partition_of_its_own(mutation: Layered) -> None:
    indices, values = delta(SPACE, mutation)
    expected = by_the_page(mutation)
    assert (indices.dtype, values.dtype) == (np.int64, np.float32)
    assert indices.tolist() == expected[0].tolist()
    assert values.tobytes() == expected[1].tobytes()
    assert len(indices) <= mutation.at_most(SPACE)


@given(layered(), st.lists(st.integers(0, SPACE.n), max_size=6))
def test_ranges_together_are_the_whole(mutation: Layered, cuts: list[int]) -> None:
    edges = [0, *sorted(cuts), SPACE.n]
    pieces = [delta(SPACE, mutation, start, stop) for start, stop in pairwise(edges)]
    for found, expected in zip(zip(*pieces, strict=True), delta(SPACE, mutation), strict=True):
        assert np.concatenate(found).tobytes() == expected.tobytes()
    for (indices, _), (start, stop) in zip(pieces, pairwise(edges), strict=True):
        assert all(start <= index < stop for index in indices)


@given(layered(), st.integers(1, 500))
def test_pieces_of_a_few_weights_together_are_the_whole(mutation: Layered, weights: int) -> None:
    pieces = list(delta_blocks(SPACE, Entry(1.0, mutation), weights))
    for found, expected in zip(zip(*pieces, strict=True), delta(SPACE, mutation), strict=True):
        assert np.concatenate(found).tobytes() == expected.tobytes()
    assert max(len(indices) for indices, _ in pieces) <= weights + len(SPACE.tensors) + 1


@given(st.integers(1, 12), st.integers(1, 40), st.integers(0, 2**64 - 1))
def test_the_mutations_of_one_mask_seed_are_disjoint_and_everything(blocks: int, parts: int, seed: int) -> None:
    found = [
        delta(SPACE, Layered(**GOOD | {"blocks": blocks, "block": b, "parts": parts, "part": k, "mask_seed": seed}))[0]
        for b in range(blocks)
        for k in range(parts)
    ]
    assert sorted(np.concatenate(found).tolist()) == list(range(SPACE.n))


def test_nothing_is_drawn_but_what_a_range_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    draw = np.random.Philox.random_raw
    counting = type("Counting", (np.random.Philox,), {"random_raw": lambda self, n: asked.append(n) or draw(self, n)})
    monkeypatch.setattr(np.random, "Philox", counting)
    large = Space([SPACE.tensors[0]._replace(name=f"t{i}", shape=(10**6,)) for i in range(5)], DEPTH)
    one = Layered(**GOOD | {"blocks": 5, "block": 3, "parts": 1, "part": 0})
    assert len(delta(large, one, 3 * 10**6 + 5, 3 * 10**6 + 105)[0]) == 100
    assert sum(asked) <= 30
    asked.clear()
    assert len(delta(large, one, 0, 3 * 10**6)[0]) == 0 and not asked


@given(layered())
def test_the_tensors_that_it_may_change(mutation: Layered) -> None:
    changed = set(np.searchsorted(SPACE.offsets, delta(SPACE, mutation)[0], side="right") - 1)
    assert changed <= set(mutation.tensors(SPACE))
    whole = mutation.model_copy(update={"parts": 1, "part": 0})
    assert set(np.searchsorted(SPACE.offsets, delta(SPACE, whole)[0], side="right") - 1) == set(whole.tensors(SPACE))
    assert list(Mutation(mask_seed=1, parts=9, part=0, noise_seed=1, sigma=1).tensors(SPACE)) == [0, 1, 2, 3, 4]


def test_tensors_come_in_the_order_of_first_use() -> None:
    assert Layered(**GOOD | {"blocks": 1, "block": 0}).tensors(SPACE) == list(DEPTH)
    assert Layered(**GOOD | {"blocks": 317, "block": 0}).tensors(SPACE) == [1]
    assert Layered(**GOOD | {"blocks": 1000, "block": 0}).tensors(SPACE) == []


@pytest.mark.parametrize(("blocks", "parts"), [(1, 1), (4, 1), (4, 3), (10, 2)])
def test_children_in_a_row_change_every_weight_once(blocks: int, parts: int) -> None:
    config = LayeredConfig(blocks=blocks, parts=parts)
    for group in range(2):
        drawn = [Layered.draw(config, 0.1, 7, 2, group * blocks * parts + i) for i in range(blocks * parts)]
        assert len({one.mask_seed for one in drawn}) == 1
        assert [one.block for one in drawn[:blocks]] == list(range(blocks))
        indices = np.concatenate([delta(SPACE, one)[0] for one in drawn])
        assert sorted(indices.tolist()) == list(range(SPACE.n))


def test_antithetic_pairs_share_all_but_the_sign() -> None:
    config = LayeredConfig(blocks=3, parts=2, antithetic=True)
    drawn = [Layered.draw(config, 0.1, 0, 0, child) for child in range(12)]
    for first, second in zip(drawn[::2], drawn[1::2], strict=True):
        assert (first.sign, second.sign) == (1, -1)
        assert first == second.model_copy(update={"sign": 1})
    assert [one.block for one in drawn[::2]] == [0, 1, 2, 0, 1, 2]


def test_a_static_subspace_is_one_for_the_run() -> None:
    config = LayeredConfig(blocks=3, parts=2, subspace="static")
    drawn = [Layered.draw(config, 0.1, 0, g, c) for g in range(3) for c in range(4)]
    assert {(m.block, m.part) for m in drawn} == {(0, 0)} and len({m.mask_seed for m in drawn}) == 1
    assert len({m.noise_seed for m in drawn}) == 12


def gains(*blocks: tuple[int, float]) -> list[tuple[Layered, float]]:
    return [(Layered(**GOOD | {"block": block}), gain) for block, gain in blocks]


ADAPTIVE = LayeredConfig(blocks=4, parts=2, allocation="adaptive", prices=(1.0, 0.5, 0.1, 0.1))


def test_before_anything_is_told_adaptive_children_are_the_equal_ones() -> None:
    equal = LayeredConfig(blocks=4, parts=2, allocation="equal")
    assert Layered.draw_all(ADAPTIVE, 0.1, 7, 0, 20) == [Layered.draw(equal, 0.1, 7, 0, child) for child in range(20)]
    assert equal.credit(gains((0, 1.0))) is None


def test_children_go_where_they_gained() -> None:
    credits = [ADAPTIVE.credit(gains((0, -1.0), (1, 0.5), (2, -math.inf), (3, math.nan)))]
    drawn = Layered.draw_all(ADAPTIVE, 0.1, 7, 1, 40, credits)
    assert drawn == Layered.draw_all(ADAPTIVE, 0.1, 7, 1, 40, credits)
    counts = Counter(one.block for one in drawn)
    assert set(counts) == {0, 1, 2, 3} and counts[1] > counts[0]
    dear = Counter(
        one.block
        for one in Layered.draw_all(ADAPTIVE.model_copy(update={"prices": (1, 1, 1, 1)}), 0.1, 7, 1, 40, credits)
    )
    assert dear[1] == max(dear.values()) and dear[2] < counts[2]


def test_crowded_blocks_are_counted_as_what_they_are() -> None:
    """Of eight children on one block of two parts four change each of its weights."""
    crowd = [recipe for recipe, _ in gains(*[(0, 0.0)] * 8)]
    equal = LayeredConfig(blocks=4, parts=2, allocation="equal")
    assert ADAPTIVE.independent(crowd) == 2 and equal.independent(crowd) == 8
    spread = [recipe for recipe, _ in gains((0, 0.0), (1, 0.0), (2, 0.0), (2, 0.0))]
    assert ADAPTIVE.independent(spread) == 4 and ADAPTIVE.independent([]) == 0


@pytest.mark.parametrize("antithetic", [False, True])
@pytest.mark.parametrize("count", [1, 7, 40])
def test_children_of_one_block_share_its_parts_out(count: int, antithetic: bool) -> None:
    config = ADAPTIVE.model_copy(update={"antithetic": antithetic})
    drawn = Layered.draw_all(config, 0.1, 7, 1, count, [config.credit(gains((1, 0.5), (0, 0.1)))])
    assert len(drawn) == count
    single = drawn[::2] if antithetic else drawn
    assert len({one.noise_seed for one in single}) == len(single)
    if antithetic:
        for first, second in zip(drawn[::2], drawn[1::2], strict=False):
            assert first == second.model_copy(update={"sign": 1}) and second.sign == -1
    masks = [(one.mask_seed, one.block, one.part) for one in single]
    assert len(set(masks)) == len(masks)
    for block in range(4):
        assert [one.part for one in single if one.block == block] == [
            i % 2 for i in range(sum(one.block == block for one in single))
        ]


def test_a_block_costs_what_follows_the_first_use_of_its_first_tensor() -> None:
    behind = [0.6, 1.0, 0.002, 0.2, 0.4]  # by number; depth is 1 0 4 3 2
    priced = LayeredConfig(blocks=4, allocation="adaptive").with_work(SPACE, behind)
    firsts = [Layered(**GOOD | {"block": block}).tensors(SPACE)[0] for block in range(4)]
    assert priced.prices == tuple(max(behind[number], CHEAPEST) for number in firsts)
    finest = LayeredConfig(blocks=500, allocation="adaptive").with_work(SPACE, behind)
    assert (finest.prices[0], finest.prices[1], finest.prices[-1]) == (CHEAPEST, 1.0, CHEAPEST)  # the first is empty
    assert not priced.asks_for_work and LayeredConfig(allocation="adaptive").asks_for_work
    assert LayeredConfig().allocation == "adaptive" and LayeredConfig(subspace="static").allocation == "equal"
    assert not LayeredConfig(allocation="equal").asks_for_work


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"allocation": "adaptive", "subspace": "static"}, r"a static subspace \(cma-es has one\) is one block"),
        ({"prices": (0.5,)}, "prices has 1 of them for 4 blocks"),
        ({"prices": (0.5, 0.0, 1, 1)}, "a share of a forward pass for each block, above 0 and at most 1"),
        ({"prices": (0.5, 1.5, 1, 1)}, "at most 1"),
        ({"prices": (0.5, math.nan, 1, 1)}, "at most 1"),
        ({"prices": (0.5, True, 1, 1)}, "at most 1"),
        ({"prices": 0.5}, "at most 1"),
        ({"allocation": "greedy"}, "allocation"),
        ({"blocks": 0}, "blocks"),
        ({"sigma": (0.1, 0.2)}, "sigma has 2 of them for 4 blocks"),
        ({"sigma": (0.1, 0.2, 0.0, 0.1)}, "a number greater than 0, one for each block"),
        ({"sigma": (0.1, 0.2, True, 0.1)}, "a number greater than 0, one for each block"),
        ({"sigma": "0.1"}, "a number greater than 0, one for each block"),
    ],
)
def test_a_configuration_that_means_nothing_is_refused(wrong: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        LayeredConfig(**{"blocks": 4, **wrong})


def test_each_block_may_have_a_sigma_of_its_own() -> None:
    config = LayeredConfig(blocks=3, parts=2, sigma=[0.1, 0.4, 1.6])
    assert [Layered.draw(config, 9.0, 7, 0, child).sigma for child in range(6)] == [0.1, 0.4, 1.6] * 2
    assert (config.one_sigma, config.sigma_is_auto, config.groups) == (0.4, False, 3)
    swept = config.with_disjoint(4)
    assert (swept.sigma, Layered.draw(swept, 9.0, 7, 0, 0).sigma) == (0.4, 9.0)
    assert LayeredConfig.model_validate(config.model_dump(mode="json")) == config
    found = LayeredConfig(sigma="auto")
    assert (found.one_sigma, found.sigma_is_auto, found.with_disjoint(2).sigma, found.groups) == (
        None,
        True,
        "auto",
        10,
    )
    assert LayeredConfig(subspace="static").groups == 1


def test_the_density_is_that_of_partition_unless_told() -> None:
    assert LayeredConfig().disjoint == LayeredConfig(blocks=5, parts=2).disjoint == 10
    finer = LayeredConfig(blocks=5).with_disjoint(7)
    assert (finer.blocks, finer.parts, finer.disjoint) == (5, 7, 35)
    finer.check_weights(35)
    with pytest.raises(
        ConfigError, match=r"mutation\.blocks = 5 times mutation\.parts = 7 is more than the 34 weights"
    ):
        finer.check_weights(34)


@given(layered())
def test_round_trips(mutation: Layered) -> None:
    lineage = Lineage((Entry(1.0, mutation),))
    found = Lineage.from_json(json.loads(json.dumps(lineage.to_json())))
    assert found == lineage == pickle.loads(pickle.dumps(lineage))
    assert len(pickle.dumps(mutation)) < 125


@given(layered())
def test_a_row_of_the_population_holds_the_recipe(mutation: Layered) -> None:
    schema = pa.schema([(name, pa.type_for_alias(kind)) for name, kind in Layered.columns.items()])
    table = pa.Table.from_pylist([mutation.row()], schema=schema)
    assert Layered.from_row(table.to_pylist()[0]) == mutation


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("blocks", 0),
        ("blocks", 4.0),
        ("blocks", 2**63),
        ("block", 4),
        ("block", -1),
        ("block", True),
        ("parts", 0),
        ("parts", 2**32 + 1),
        ("part", 3),
        ("mask_seed", -1),
        ("noise_seed", 2**64),
        ("sigma", 0.0),
        ("sigma", float("nan")),
        ("sign", 1.0),
        ("kind", "partition"),
        ("colour", 1),
    ],
)
def test_a_value_outside_the_format_is_refused_by_name(key: str, value: Any) -> None:
    with pytest.raises(LineageError, match=f"format 2: .*{key}"):
        Layered(**{**GOOD, key: value})


@pytest.mark.parametrize("key", ["blocks", "block", "parts", "part", "mask_seed", "noise_seed", "sigma"])
def test_a_key_that_is_missing_is_refused_by_name(key: str) -> None:
    entry = {"weight": 1.0, "mutation": {"kind": "layered", **{k: v for k, v in GOOD.items() if k != key}}}
    with pytest.raises(LineageError, match=f"entry 0: .*{key}"):
        Lineage.from_json([entry])


def test_a_lineage_of_format_2_gives_its_network_and_nothing_else_does() -> None:
    document = json.loads(json.dumps(lineage_document("tiny", STATE, SPACE, DEEP_LINEAGE)))
    assert (document["format"], document["space"]["depth"]) == (2, list(DEPTH))
    assert rebuild(document, STATE, SPACE).keys() == rebuild(document, STATE).keys() == STATE.keys()
    for change, words in (
        ({"format": 1}, "lineage digest differs"),
        ({"format": 1, "sha256": None}, "lineage: it is of format 1, its space of format 2"),
        ({"format": 5, "sha256": None}, "format is 5, this program knows 1 to 4"),
    ):
        other = {key: value for key, value in (document | change).items() if value is not None}
        with pytest.raises(LineageError, match=words):
            rebuild(other, STATE)


def test_a_space_of_format_1_has_no_blocks() -> None:
    with pytest.raises(LineageError, match='"layered" needs one of format 2'):
        lineage_document("tiny", STATE, space(STATE), DEEP_LINEAGE)
