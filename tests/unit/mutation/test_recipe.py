from __future__ import annotations

import json
import pickle
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from recipes import LINEAGE, LINEAGES, mutations

from evoray.errors import LineageError
from evoray.mutation import Entry, Lineage, Mutation, soup

GOOD: dict[str, Any] = {"mask_seed": 1, "parts": 4, "part": 1, "noise_seed": 2, "sigma": 0.1, "sign": 1}


@given(mutations(), st.integers(0, 2000))
def test_a_recipe_gives_the_same_mutation_every_time(mutation: Mutation, n: int) -> None:
    again = Mutation(**mutation.model_dump())
    assert np.array_equal(mutation.indices(n), again.indices(n))
    assert np.array_equal(mutation.noise(n), again.noise(n))
    assert len(mutation.noise(n)) == len(mutation.indices(n))


@given(LINEAGES)
def test_round_trips(lineage: Lineage) -> None:
    found = Lineage.from_json(json.loads(json.dumps(lineage.to_json())))
    assert found == lineage == pickle.loads(pickle.dumps(lineage))
    assert hash(found) == hash(lineage)


@given(mutations())
def test_a_mutation_is_below_two_hundred_bytes(mutation: Mutation) -> None:
    assert len(json.dumps(mutation.model_dump(), separators=(",", ":"))) < 200
    assert len(pickle.dumps(mutation)) < 200


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("sigma", float("nan")),
        ("sigma", float("inf")),
        ("sigma", 0.0),
        ("sigma", -0.1),
        ("sigma", 1e39),
        ("sigma", 1e-46),
        ("sigma", "0.1"),
        ("sigma", True),
        ("part", 4),
        ("part", -1),
        ("parts", 0),
        ("parts", 2**32 + 1),
        ("parts", 4.0),
        ("mask_seed", -1),
        ("mask_seed", True),
        ("noise_seed", 2**64),
        ("sign", 0),
        ("sign", 1.0),
        ("sign", True),
        ("kind", "gaussian"),
        ("colour", 1),
    ],
)
def test_a_value_outside_the_format_is_refused_by_name(key: str, value: Any) -> None:
    with pytest.raises(LineageError, match=key):
        Mutation(**{**GOOD, key: value})
    entries = [{"weight": 1.0, "mutation": mutation} for mutation in (GOOD, {**GOOD, key: value})]
    with pytest.raises(LineageError, match=f"entry 1.*{key}"):
        Lineage.from_json(entries)


@pytest.mark.parametrize("weight", [float("nan"), float("inf"), 1e39, "1", None, True])
def test_a_weight_that_is_not_a_finite_float32_is_refused(weight: Any) -> None:
    with pytest.raises(LineageError, match="entry 0: weight"):
        Lineage.from_json([{"weight": weight, "mutation": GOOD}])


@pytest.mark.parametrize("value", [None, {}, "x", [1], [{"weight": 1.0}], [{"weight": 1.0, "mutation": 3}]])
def test_entries_of_another_shape_are_refused(value: Any) -> None:
    with pytest.raises(LineageError):
        Lineage.from_json(value)


def test_a_mutation_cannot_be_changed() -> None:
    with pytest.raises(ValidationError):
        Mutation(**GOOD).sigma = 1.0


def test_lineages_extend_and_compare() -> None:
    base, child = Lineage(), LINEAGE.child(Mutation(**GOOD))
    assert child.entries == (*LINEAGE.entries, Entry(1.0, Mutation(**GOOD)))
    assert base.is_prefix_of(LINEAGE)
    assert LINEAGE.is_prefix_of(child)
    assert LINEAGE.is_prefix_of(LINEAGE)
    assert not child.is_prefix_of(LINEAGE)
    assert child.tail(LINEAGE) == child.entries[-1:]
    assert LINEAGE.then(child.tail(LINEAGE)) == child
    with pytest.raises(LineageError, match="do not start"):
        LINEAGE.tail(child)


@pytest.mark.parametrize("step", [1.0, 2.0])
def test_a_soup_averages_the_tails(step: float) -> None:
    ours = [Mutation(**{**GOOD, "part": part}) for part in range(4)]
    mixed = soup([LINEAGE.child(mutation) for mutation in ours], LINEAGE, step)
    assert mixed == LINEAGE.then(Entry(step / 4, mutation) for mutation in ours)
    assert soup([LINEAGE], LINEAGE) == LINEAGE


def test_a_soup_of_nothing_or_of_strangers_is_refused() -> None:
    with pytest.raises(LineageError, match="no lineages"):
        soup([], Lineage())
    with pytest.raises(LineageError, match="do not start"):
        soup([Lineage()], LINEAGE)


def test_a_file_does_not_decide_what_is_imported(tmp_path, monkeypatch):
    """A lineage may come from anybody, and importing a module runs it."""
    (tmp_path / "somebodys.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(LineageError, match=r"entry 0: its kind is 'somebodys:Kind'.*import somebodys first"):
        Lineage.from_json([{"weight": 1.0, "mutation": {"kind": "somebodys:Kind"}}])
    assert not (tmp_path / "ran").exists()
