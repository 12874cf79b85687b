"""Whole numbers: steps by chance, in proportion; a child is of whole numbers, to the bit wherever it is made."""

from __future__ import annotations

import json
from itertools import pairwise

import numpy as np
import pytest
import torch
from recipes import DEEP_LINEAGE, DEPTH, LINEAGE, quantized, space

from evoray.errors import LineageError
from evoray.evaluation.host import ModelHost
from evoray.mutation import Lineage, Mutation, Space, child_state, delta, lineage_document, rebuild, soup
from evoray.mutation.integers import in_type, round_steps_, spread
from evoray.mutation.layered import Layered

WHOLE = ("conv.weight", "fc.weight")


def mutation(sigma=0.02, **how):
    return Mutation(**{"mask_seed": 3, "parts": 2, "part": 0, "noise_seed": 5, "sigma": sigma} | how)


class Net(torch.nn.Module):
    """Holds a state as parameters."""

    def __init__(self, state, ours):
        super().__init__()
        self._parameters.update({
            spec.name: torch.nn.Parameter(state[spec.name].clone(), requires_grad=False) for spec in ours.tensors
        })  # fmt: skip

    def state_dict(self, *args, **kwargs):
        return dict(self._parameters)

    def named_parameters(self, *args, **kwargs):
        return iter(self._parameters.items())


def test_steps_are_rounded_by_chance_and_right_on_average():
    words = np.arange(65536, dtype=np.uint16)
    for step in (0.0, 0.25, -0.25, 1.75, -3.5, 0.001):
        values = np.full(65536, step, dtype=np.float32)
        round_steps_(values, np.ones(65536, dtype=bool), words)
        assert set(np.abs(values - step) < 1) == {True} and np.array_equal(values, np.trunc(values))
        assert values.mean() == pytest.approx(step, abs=2e-5)


@pytest.mark.parametrize("step", [255.4, 400.0, 3e38, np.inf])
def test_no_step_is_longer_than_the_type_is_wide(step):
    values = np.array([step, -step, step], dtype=np.float32)
    round_steps_(values, np.array([True, True, False]), np.array([65535, 0, 9], dtype=np.uint16))
    assert values.tolist() == [255.0, -255.0, np.float32(step)]


def test_values_are_cut_to_their_type_and_whole_ones_stay():
    whole = torch.arange(-300.0, 300.0)
    for own, low, high in ((torch.int8, -128, 127), (torch.uint8, 0, 255)):
        assert torch.equal(in_type(whole, own, 12345), whole.clamp(low, high).to(own))
    assert torch.equal(whole, torch.arange(-300.0, 300.0))
    assert in_type(torch.tensor([1 / 3]), torch.float16, 0) == torch.tensor([1 / 3]).half()


def test_what_lies_between_is_rounded_by_its_place_alone():
    values = torch.rand(5000, generator=torch.Generator().manual_seed(0)) * 300 - 150
    whole = in_type(values, torch.int8, 1000)
    assert (whole.float() - values.clamp(-128, 127)).abs().max() < 1
    assert (whole.float() - values.clamp(-128, 127)).mean().abs() < 0.02
    places = torch.tensor([3, 4, 700, 4999])
    assert torch.equal(in_type(values[places], torch.int8, places + 1000), whole[places])
    assert torch.equal(in_type(values[50:60], torch.int8, 1050), whole[50:60])
    assert not torch.equal(in_type(values, torch.int8, 1001), whole)


def test_the_scale_is_the_spread_about_the_mean():
    values = torch.tensor([[128, 130], [126, 128]], dtype=torch.uint8)
    assert spread(values) == pytest.approx(2**0.5) and spread(torch.zeros(3, dtype=torch.int8)) == 0
    assert spread(values.to(torch.int16)) == spread((values.to(torch.int16) - 128).to(torch.int8))


@pytest.mark.parametrize("kind", [mutation(), mutation(parts=1), mutation(parts=200, part=7)])
@pytest.mark.parametrize("pieces", [1, 3, 50])
def test_ranges_together_are_the_whole(kind, pieces):
    ours = space(quantized())
    edges = np.linspace(0, ours.n, pieces + 1).astype(int)
    parts = [delta(ours, kind, *edge) for edge in pairwise(edges)]
    for found, expected in zip(map(np.concatenate, zip(*parts, strict=True)), delta(ours, kind), strict=True):
        assert np.array_equal(found, expected)


def test_twins_are_opposite_and_layers_round_like_the_rest():
    ours = space(quantized()).with_depth(DEPTH)
    here, there = (delta(ours, mutation(sign=sign)) for sign in (1, -1))
    assert np.array_equal(here[1], -there[1])
    for block in range(4):
        at, values = delta(ours, Layered(blocks=4, block=block, parts=2, part=0, mask_seed=1, noise_seed=2, sigma=0.02))
        steps = values[ours.per_coordinate(ours.whole, at)]
        assert np.array_equal(steps, np.trunc(steps))


def test_a_child_is_of_whole_numbers_near_what_was_asked():
    state = quantized()
    ours = space(state)
    assert ours.format == 4 and ours.has_integers
    child = child_state(state, ours, Lineage().child(mutation(0.1, parts=1)))
    for name in WHOLE:
        assert child[name].dtype == state[name].dtype
        moved = (child[name].float() - state[name].float()).std() / spread(state[name])
        assert 0.07 < moved < 0.13  # less where it was cut
    assert child["bn.weight"].dtype == torch.float32


@pytest.mark.parametrize("tail", [LINEAGE, DEEP_LINEAGE, Lineage().child(mutation(parts=100)), Lineage()])
def test_the_host_writes_what_is_rebuilt_and_takes_it_back(tail):
    """Scattered and streamed, single entries and several with shares of steps; a thousand times."""
    state = quantized()
    ours = space(state).with_depth(DEPTH)
    host = ModelHost(Net(state, ours), ours, "cpu")
    parent = host.tensors()
    for _ in range(1000 if tail.entries == LINEAGE.entries else 3):
        host.apply(tail.entries)
        host.undo()
    assert all(torch.equal(values, parent[name]) for name, values in host.tensors().items())
    assert all(torch.equal(values, state[name]) for name, values in parent.items())
    expected = child_state(state, ours, tail)
    with host.child(tail.entries):
        assert all(torch.equal(values, expected[name]) for name, values in host.tensors().items())
    host.set_base(tail.entries)
    more = Lineage((*tail.entries, *Lineage().child(mutation(noise_seed=8)).entries))
    with host.child(more.entries[-1:]):
        expected = child_state(state, ours, more)
        assert all(torch.equal(values, expected[name]) for name, values in host.tensors().items())


def test_what_writes_on_devices_leaves_whole_numbers_to_numpy():
    state = quantized()
    host = ModelHost(Net(state, space(state)), space(state), "cpu", drawn_by="torch")
    assert host._writer is None


def test_a_soup_is_rebuilt_from_its_document():
    state = quantized()
    ours = space(state)
    one = soup([Lineage().child(mutation(0.1, noise_seed=seed)) for seed in range(3)], Lineage())
    document = json.loads(json.dumps(lineage_document("q", state, ours, one)))
    assert document["format"] == 4 and len(json.dumps(document["entries"][0])) < 200
    expected, found = child_state(state, ours, one), rebuild(document, state)
    assert all(torch.equal(found[name], expected[name]) for name in expected)
    assert any(not torch.equal(found[name], state[name]) for name in WHOLE)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"format": 1}, "whole numbers are there in format 4, and only there"),
        ({"format": 5}, "format is 5, this program knows 1 to 4"),
        ({"depth": [0]}, "depth is not each of the numbers"),
    ],
)
def test_spaces_that_are_none(change, said):
    written = space(quantized()).to_json()
    assert Space.from_json(written).sha256 == space(quantized()).sha256
    with pytest.raises(LineageError, match=said):
        Space.from_json({**written, **change})


def test_format_four_has_whole_numbers():
    plain = {"format": 4, "tensors": [{"name": "a", "shape": [2], "dtype": "float32", "scale": 1.0}]}
    with pytest.raises(LineageError, match="only there"):
        Space.from_json(plain)
