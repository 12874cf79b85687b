from __future__ import annotations

import functools
import sys
import types

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from recipes import ENTRIES, LINEAGES, bits, parent, space

from evoray.mutation import (
    Entry,
    Lineage,
    add_delta_,
    apply_lineage,
    child_state,
    delta,
    delta_between,
    delta_blocks,
    put_,
    weighted_delta,
)
from evoray.mutation.apply import _unsorted_write

STATE = parent()
SPACE = space(STATE)
FLAT = SPACE.flatten(STATE)
FLAT[::50] = -0.0


@given(ENTRIES)
def test_weights_outside_the_mask_keep_every_bit(entry: Entry) -> None:
    child = apply_lineage(FLAT.copy(), SPACE, [entry])
    outside = np.ones(SPACE.n, dtype=bool)
    outside[entry.mutation.indices(SPACE.n)] = False
    assert child[outside].tobytes() == FLAT[outside].tobytes()


@given(ENTRIES)
def test_every_product_and_sum_is_rounded_to_float32(entry: Entry) -> None:
    mutation, expected = entry.mutation, FLAT.copy()
    scales = np.repeat(SPACE.scales, np.diff(SPACE.offsets))
    pairs = zip(mutation.indices(SPACE.n), mutation.noise(SPACE.n), strict=True)
    for index, z in pairs:
        a = np.float32(mutation.sign) * np.float32(np.float32(mutation.sigma) * scales[index])
        step = np.float32(np.float32(entry.weight) * np.float32(z * a))
        expected[index] = np.float32(expected[index] + step)
    assert apply_lineage(FLAT.copy(), SPACE, [entry]).tobytes() == expected.tobytes()


@given(LINEAGES)
def test_torch_adds_the_same_bits(lineage: Lineage) -> None:
    flat = torch.from_numpy(FLAT.copy())
    for entry in lineage.entries:
        indices, values = (torch.from_numpy(array) for array in weighted_delta(SPACE, entry))
        assert add_delta_(flat, indices, values) is flat
    assert flat.numpy().tobytes() == apply_lineage(FLAT.copy(), SPACE, lineage.entries).tobytes()


@pytest.mark.gpu
@given(LINEAGES)
def test_a_gpu_adds_the_same_bits(lineage: Lineage) -> None:
    flat = torch.from_numpy(FLAT.copy()).cuda()
    for entry in lineage.entries:
        indices, values = (torch.from_numpy(array).cuda() for array in weighted_delta(SPACE, entry))
        add_delta_(flat, indices, values)
    assert flat.cpu().numpy().tobytes() == apply_lineage(FLAT.copy(), SPACE, lineage.entries).tobytes()


class OnGpu:
    """What a tensor on a GPU says of itself, over one in this machine's memory."""

    def __init__(self, tensor):
        self.tensor, self.device = tensor, torch.device("cuda")

    def index_copy_(self, dimension, indices, values):
        self.tensor.index_copy_(dimension, indices, values)
        return self


@pytest.mark.parametrize("deterministic", [True, False])
def test_a_write_switches_nothing_that_other_threads_see(monkeypatch, deterministic):
    """Another thread's forward pass would run with other algorithms meanwhile. Here without Triton."""
    monkeypatch.setitem(sys.modules, "evoray.mutation.scatter", None)
    monkeypatch.setattr(torch, "are_deterministic_algorithms_enabled", lambda: deterministic)
    monkeypatch.setattr(torch, "use_deterministic_algorithms", lambda mode: pytest.fail("switched for the process"))
    _unsorted_write.cache_clear()
    flat = OnGpu(torch.zeros(4))
    assert put_(flat, torch.tensor([2, 0]), torch.tensor([1.0, 2.0])) is flat
    _unsorted_write.cache_clear()
    assert flat.tensor.tolist() == [2.0, 0.0, 1.0, 0.0]


def test_each_device_is_probed_by_itself(monkeypatch):
    """The kernel may run on one GPU of a machine and not on another; the one that is current has no say."""
    probed = []
    scatter = types.ModuleType("evoray.mutation.scatter")
    scatter.copy_unique_ = lambda flat, indices, values: flat.tensor.index_copy_(0, indices, values)

    def zeros(count, device):
        probed.append(device)
        return FakeProbe(count, works=device.index == 1)

    monkeypatch.setitem(sys.modules, "evoray.mutation.scatter", scatter)
    for name, make in {"zeros": zeros, "tensor": torch.tensor, "ones": torch.ones}.items():
        monkeypatch.setattr(torch, name, make if name == "zeros" else functools.partial(on_the_host, make))
    _unsorted_write.cache_clear()
    found = [_unsorted_write(torch.device("cuda", number)) for number in (0, 1, 0, 1)]
    _unsorted_write.cache_clear()
    assert [one is scatter.copy_unique_ for one in found] == [False, True, False, True]
    assert probed == [torch.device("cuda", 0), torch.device("cuda", 1)]


class FakeProbe:
    def __init__(self, count, works):
        self.tensor, self._works = torch.full((count,), 0.0), works

    def tolist(self):
        return self.tensor.tolist() if self._works else [0.0, 0.0]


def on_the_host(make, value, device):
    return make(value)


@given(ENTRIES)
def test_the_antithetic_twin_has_the_opposite_delta(entry: Entry) -> None:
    twin = entry.mutation.model_copy(update={"sign": -entry.mutation.sign})
    (indices, values), (same, opposite) = delta(SPACE, entry.mutation), delta(SPACE, twin)
    assert np.array_equal(indices, same)
    assert np.array_equal(values, -opposite)


@given(LINEAGES)
def test_a_lineage_applied_in_two_goes_is_the_same(lineage: Lineage) -> None:
    first = apply_lineage(FLAT.copy(), SPACE, lineage.entries[:2])
    second = apply_lineage(first, SPACE, lineage.entries[2:])
    assert second.tobytes() == apply_lineage(FLAT.copy(), SPACE, lineage.entries).tobytes()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
@given(lineage=LINEAGES)
def test_a_child_differs_from_its_parent_in_its_masks_only(dtype: torch.dtype, lineage: Lineage) -> None:
    state = parent(dtype)
    ours = space(state)
    child = child_state(state, ours, lineage)
    touched = np.zeros(ours.n, dtype=bool)
    for entry in lineage.entries:
        touched[entry.mutation.indices(ours.n)] = True
    found, before = ours.flatten(child), ours.flatten(state)
    assert found[~touched].tobytes() == before[~touched].tobytes()
    for name in ("bn.running_mean", "bn.num_batches_tracked"):
        assert bits(child[name]) == bits(state[name])


@given(ENTRIES, st.integers(1, 500))
def test_pieces_together_are_the_whole(entry: Entry, strata: int) -> None:
    whole = weighted_delta(SPACE, entry)
    pieces = zip(*delta_blocks(SPACE, entry, strata), strict=True)
    for expected, found in zip(whole, pieces, strict=True):
        assert np.concatenate(found).tobytes() == expected.tobytes()


@given(ENTRIES, st.integers(0, SPACE.n), st.integers(0, SPACE.n))
def test_any_stretch_of_a_mutation_stands_alone(entry: Entry, one: int, other: int) -> None:
    start, stop = sorted((one, other))
    indices, values = weighted_delta(SPACE, entry)
    inside = (indices >= start) & (indices < stop)
    found = delta_between(SPACE, entry, start, stop)
    assert np.array_equal(found[0] + start, indices[inside])
    assert found[1].tobytes() == values[inside].tobytes()
