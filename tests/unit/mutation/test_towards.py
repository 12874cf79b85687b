from __future__ import annotations

import json
import pickle

import numpy as np
import pytest
import torch

from evoray.config import parse_config
from evoray.errors import ConfigError, LineageError
from evoray.mutation import Entry, Lineage, Space, child_state, delta, lineage_document, rebuild, tensors_sha256
from evoray.mutation.towards import Towards

NAMES = ["a", "b.weight"]


def state_of(seed, dtype=torch.float32):
    draw = torch.Generator().manual_seed(seed)
    weights = {"a": torch.randn(3, generator=draw), "b.weight": torch.randn(4, 5, generator=draw)}
    return {name: one.to(dtype) for name, one in weights.items()} | {"seen": torch.tensor(seed)}


STATE, FIRST, SECOND = (state_of(seed) for seed in range(3))
DIGESTS = [tensors_sha256({name: one[name] for name in NAMES}) for one in (FIRST, SECOND)]


def space_of(state=STATE, others=(FIRST, SECOND)):
    space = Space.from_state(state, NAMES, "rms")
    towards = np.stack([space.flatten(one) - space.flatten(state) for one in others])
    return space.with_towards([tensors_sha256({name: one[name] for name in NAMES}) for one in others], towards)


SPACE = space_of()


def recipe(*coefficients):
    return Towards(noise_seed=7, coefficients=coefficients)


def config_of(search=None, **mutation):
    values = {"parent": {"name": "resnet18", "weights": "random"}, "data": {"path": "mnist5k"}}
    own = {"kind": "towards", "towards": ["a.pth", "b.pth"], **mutation}
    return parse_config({**values, "mutation": own, "search": search or {}})


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize(("first", "second", "weight"), [(0.3, -1.25, 1.0), (1.0, 0.0, 0.5), (-0.1, 0.7, -1 / 3)])
def test_a_child_is_the_parent_plus_each_difference_times_its_coefficient(dtype, first, second, weight):
    """By hand: every product and sum rounded to float32, the sum once more to the parent's type."""
    state, one, other = (state_of(seed, dtype) for seed in range(3))
    space = space_of(state, (one, other))
    child = child_state(state, space, Lineage((Entry(weight, recipe(first, second)),)))
    for name in NAMES:
        mine, d1, d2 = state[name].float().numpy(), one[name].float().numpy(), other[name].float().numpy()
        moved = np.float32(first) * (d1 - mine) + np.float32(second) * (d2 - mine)
        expected = torch.from_numpy(mine + np.float32(weight) * moved).to(dtype)
        assert torch.equal(child[name], expected)
    assert child["seen"] is state["seen"]


def test_half_way_to_one_checkpoint_is_the_mean_of_two():
    child = child_state(STATE, SPACE, Lineage((Entry(1.0, recipe(0.5, 0.0)),)))
    assert torch.allclose(child["a"], (STATE["a"] + FIRST["a"]) / 2)


def test_coefficients_are_gaussian_times_sigma():
    config = config_of().mutation
    drawn = np.array([Towards.draw(config, 0.25, 3, 0, child).coefficients for child in range(2000)])
    assert abs(drawn.mean()) < 0.02 and np.allclose(drawn.std(axis=0), 0.25, rtol=0.06)
    assert abs(np.corrcoef(drawn.T)[0, 1]) < 0.08


def test_what_cma_es_mixes_has_coefficients_of_sigma():
    config = config_of({"strategy": "cma-es", "dimensions": 2}).mutation
    directions = np.array([Towards.draw(config, 0.25, 3, 0, number).coefficients for number in range(2)])
    points = np.random.default_rng(0).normal(size=(4000, 2)) / np.sqrt(2)
    assert np.allclose((points @ directions).std(axis=0), 0.25, rtol=0.05)
    assert np.count_nonzero(directions) == 2


@pytest.mark.parametrize(
    ("search", "mutation", "words"),
    [
        ({}, {"towards": []}, "mutation.towards"),
        ({}, {"towards": ["a.pth", " "]}, "empty name"),
        ({}, {"scale": "absolute"}, "mutation.scale"),
        ({}, {"parts": 3}, "mutation.parts"),
        ({}, {"subspace": "static"}, "leave it out"),
        ({"strategy": "cma-es"}, {}, "search.dimensions = 32: the 2 checkpoints .* set it to 2"),
        ({"strategy": "cma-es", "dimensions": 2}, {"towards": ["a.pth"]}, "names one checkpoint: cma-es needs two"),
    ],
)
def test_what_cannot_work_is_refused_with_the_remedy(search, mutation, words):
    with pytest.raises(ConfigError, match=words):
        config_of(search, **mutation)


def test_checkpoints_have_to_be_named():
    values = {"parent": {"name": "resnet18", "weights": "random"}, "data": {"path": "mnist5k"}}
    with pytest.raises(ConfigError, match=r"mutation\.towards"):
        parse_config({**values, "mutation": {"kind": "towards"}})
    with pytest.raises(ConfigError, match=r"mutation\.towards"):
        parse_config({**values, "mutation": {"towards": ["a.pth"]}})


@pytest.mark.parametrize("strategy", ["decomposition", "one-plus-lambda", "mu-lambda", "evolution-strategy", "randopt"])
def test_other_strategies_take_it_as_it_is(strategy):
    assert config_of({"strategy": strategy}).mutation.checkpoints == ("a.pth", "b.pth")


@pytest.mark.parametrize("values", [["x"], [], [float("nan")], [1e39], [True], "0.5", None])
def test_coefficients_that_are_none_are_refused(values):
    with pytest.raises(LineageError, match="coefficients"):
        Towards.model_validate({"kind": "towards", "noise_seed": 1, "coefficients": values})


@pytest.mark.parametrize("text", ["", "[", '{"a": 1}', None, "[true]"])
def test_a_row_that_is_damaged_is_refused(text):
    with pytest.raises(LineageError, match="coefficients"):
        Towards.from_row({"noise_seed": 1, "coefficients": text})


def test_the_differences_are_no_part_of_a_pickle_and_the_space_is_read_again():
    travelled = pickle.loads(pickle.dumps(SPACE))
    assert travelled.sha256 == SPACE.sha256 and travelled.others == tuple(DIGESTS)
    assert len(pickle.dumps(SPACE)) < 2000
    again = Space.from_json(json.loads(json.dumps(SPACE.to_json())))
    assert (again.sha256, again.format) == (SPACE.sha256, 3)
    for without in (travelled, again):
        with pytest.raises(LineageError, match=f"{DIGESTS[0]}.*--towards"):
            delta(without, recipe(1.0, 1.0))


@pytest.mark.parametrize(
    "change", [{"towards": []}, {"towards": ["x"]}, {"towards": DIGESTS[:1] * 2}, {"format": 1}, {"towards": {}}]
)
def test_a_space_whose_checkpoints_are_damaged_is_refused(change):
    with pytest.raises(LineageError, match="towards"):
        Space.from_json({**SPACE.to_json(), **change})


def test_as_many_coefficients_as_checkpoints():
    with pytest.raises(LineageError, match=r"3 coefficients.*2 checkpoints"):
        delta(SPACE, recipe(1.0, 2.0, 3.0))


LINEAGE = Lineage((Entry(1.0, recipe(0.3, -0.2)), Entry(0.5, recipe(0.0, 0.1))))


def test_a_lineage_is_rebuilt_from_the_checkpoints_in_any_order():
    document = json.loads(json.dumps(lineage_document("p", STATE, SPACE, LINEAGE)))
    expected = child_state(STATE, SPACE, LINEAGE)
    assert document["format"] == 3
    for found in (rebuild(document, STATE, others=[SECOND, FIRST]), rebuild(document, STATE, SPACE)):
        assert all(torch.equal(found[name], expected[name]) for name in STATE)
    plain = lineage_document("p", STATE, SPACE, Lineage())
    assert torch.equal(rebuild(plain, STATE)["a"], STATE["a"])


@pytest.mark.parametrize(
    "others", [[FIRST], [FIRST, {**SECOND, "a": SECOND["a"] + 1}], [FIRST, {"a": SECOND["a"]}], [STATE, FIRST]]
)
def test_a_checkpoint_that_is_missing_or_changed_is_named_by_its_digest(others):
    document = lineage_document("p", STATE, SPACE, LINEAGE)
    with pytest.raises(LineageError, match=f"{DIGESTS[1]}.*missing, or its file changed"):
        rebuild(document, STATE, others=others)
    with pytest.raises(LineageError, match="--towards"):
        rebuild(document, STATE)
