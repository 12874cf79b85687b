"""The host against the NumPy reference: every bit of a child, and not a bit of it left after undo."""

from __future__ import annotations

import copy
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from evoray.evaluation.host import ModelHost
from evoray.evaluation.layout import CHUNK
from evoray.models import canonical_state, mutable_names
from evoray.mutation import Entry, Lineage, Mutation, Space, apply_lineage, child_state, soup
from evoray.mutation.layered import Layered

DTYPES = [torch.float32, torch.bfloat16, torch.float16]


class Tiny(nn.Module):
    """Convolution, batch norm, a tied pair and an integer buffer: one of everything."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(2, 4, 3)
        self.norm = nn.BatchNorm2d(4)
        self.first = nn.Linear(16, 16)
        self.second = nn.Linear(16, 16)
        self.second.weight = self.first.weight
        self.out = nn.Linear(16, 5)

    def forward(self, x):
        x = torch.relu(self.norm(self.conv(x))).flatten(1)
        return self.out(self.second(self.first(x)))


def tiny(own=torch.float32, seed=0):
    torch.manual_seed(seed)
    model = Tiny().eval()
    model.norm.running_mean.normal_()
    model.norm.running_var.uniform_(0.5, 2)
    return model.to(own)


def host_of(model, dtype=torch.float32, include=("*",), channels_last=False, drawn_by=None):
    state, _ = canonical_state(model)
    space = Space.from_state(state, mutable_names(model, include, ()), "rms")
    return ModelHost(copy.deepcopy(model), space, "cpu", dtype, channels_last, drawn_by), state, space


def mutation(seed, parts=7, sigma=0.1):
    return Mutation(mask_seed=seed, parts=parts, part=seed % parts, noise_seed=seed + 1, sigma=sigma)


def expected(space, state, entries, dtype):
    """The reference: NumPy in float32, the parent's own type, then the type of evaluation."""
    rebuilt = space.unflatten(apply_lineage(space.flatten(state), space, entries))
    return torch.cat([rebuilt[spec.name].reshape(-1) for spec in space.tensors]).to(dtype)


@pytest.mark.parametrize("channels_last", [False, True])
def test_thousands_of_children_leave_no_trace(channels_last):
    """Of any density, the dense ones rarer as they take the time; drawn once for all types."""
    hosts = [host_of(tiny(), dtype, channels_last=channels_last)[0] for dtype in DTYPES]
    before = [host.buffer.clone() for host in hosts]
    random = np.random.default_rng(0)
    every_parts = random.choice([1, 2, 7, 50, 500], 5_000, p=[0.04, 0.04, 0.2, 0.32, 0.4]).tolist()
    every_sigma = random.choice([1e-4, 0.1, 10.0], 5_000).tolist()
    for number, (parts, sigma) in enumerate(zip(every_parts, every_sigma, strict=True)):
        drawn = hosts[0].draw([Entry(1.0, mutation(number, parts, sigma))])
        for host in hosts:
            host.apply(drawn)
            host.undo()
    for host, buffer in zip(hosts, before, strict=True):
        assert torch.equal(host.buffer.view(torch.uint8), buffer.view(torch.uint8))


@settings(deadline=None, max_examples=60)
@given(
    own=st.sampled_from(DTYPES),
    dtype=st.sampled_from(DTYPES),
    channels_last=st.booleans(),
    parts=st.sampled_from([1, 2, 3, 10, 50, 200]),
    base=st.integers(0, 3),
    tail=st.integers(0, 5),
    weight=st.sampled_from([1.0, 0.125, 1 / 3, -0.5]),
    drawn_by=st.sampled_from(["numpy", "torch"]),
)
def test_any_lineage_equals_the_reference(own, dtype, channels_last, parts, base, tail, weight, drawn_by):
    host, state, space = host_of(tiny(own), dtype, channels_last=channels_last, drawn_by=drawn_by)
    entries = [Entry(weight, mutation(number, parts)) for number in range(base + tail)]
    drawn = host.draw(entries[base:])
    host.set_base(entries[:base])
    with host.child(drawn):
        assert torch.equal(host.flat, expected(space, state, entries, dtype))
    assert torch.equal(host.flat, expected(space, state, entries[:base], dtype))


@pytest.mark.parametrize("drawn_by", ["numpy", "torch"])
def test_bases_extend_and_restart(drawn_by):
    host, state, space = host_of(tiny(), drawn_by=drawn_by)
    first, second = [Entry(1.0, mutation(1))], [Entry(1.0, mutation(1)), Entry(0.5, mutation(2, 1))]
    for entries in (first, second, [], [Entry(1.0, mutation(9))], second):
        host.set_base(entries)
        assert torch.equal(host.flat, expected(space, state, entries, torch.float32))


def test_the_model_computes_with_the_buffer_and_equals_a_fresh_one():
    model = tiny()
    host, state, space = host_of(model)
    batch = torch.randn(3, 2, 4, 4)
    parent = model(batch)
    lineage = soup([Lineage().child(mutation(s)) for s in (1, 2, 3)], Lineage(), 2.0)
    fresh = Tiny().eval()
    rebuilt = child_state(state, space, lineage)
    fresh.load_state_dict({**rebuilt, "second.weight": rebuilt["first.weight"]})
    with torch.inference_mode():
        assert torch.equal(host.forward(batch), parent)
        with host.child(lineage.entries):
            assert torch.equal(host.forward(batch), fresh(batch))
            assert not torch.equal(host.forward(batch), parent)
        assert torch.equal(host.forward(batch), parent)


def test_a_tied_tensor_counts_once_and_moves_together():
    model = tiny()
    state, aliases = canonical_state(model)
    assert aliases == {"second.weight": "first.weight"}
    assert "second.weight" not in mutable_names(model, ("*",), ())
    host, _, _ = host_of(model)
    with host.child([Entry(1.0, mutation(0, 1))]):
        assert torch.equal(host.model.first.weight, host.model.second.weight)
        assert not torch.equal(host.model.first.weight, state["first.weight"])


def test_tensors_outside_the_patterns_and_buffers_stay():
    model = tiny()
    host, state, _ = host_of(model, include=("conv.*",))
    with host.child([Entry(1.0, mutation(0, 1, 5.0))]):
        now, _ = canonical_state(host.model)
    changed = {name for name in state if not torch.equal(state[name], now[name])}
    assert changed == {"conv.weight", "conv.bias"}


def test_the_callers_model_is_not_written():
    model = tiny()
    before = copy.deepcopy(model.state_dict())
    host, _, _ = host_of(model)
    host.apply([Entry(1.0, mutation(0, 1))])
    assert all(torch.equal(model.state_dict()[name], before[name]) for name in before)


class Own(Mutation):
    """A kind without a form for devices, since it may draw something else than what it is derived from."""


def own(seed, parts):
    return Own(**mutation(seed, parts).model_dump())


@pytest.mark.parametrize("own_type", DTYPES)
@pytest.mark.parametrize(
    "tail", [[own(1, 3)], [own(1, 200)], [own(2, 50), mutation(3, 50)], [mutation(3, 2), own(2, 2)]]
)
def test_kinds_without_a_form_for_devices_are_drawn_by_numpy(tail, own_type):
    """Alone, sparse and streamed, and beside one that has a form."""
    host, state, space = host_of(tiny(own_type), channels_last=True, drawn_by="torch")
    base, entries = [Entry(0.5, own(7, 2))], [Entry(-1 / 3, one) for one in tail]
    drawn = host.draw(entries)
    host.set_base(base)
    with host.child(drawn):
        assert torch.equal(host.flat, expected(space, state, base + entries, torch.float32))
    assert torch.equal(host.flat, expected(space, state, base, torch.float32))


@pytest.mark.parametrize("drawn_by", ["numpy", "torch"])
@pytest.mark.parametrize("parts", [[1], [7], [500], [500, 500]])
def test_what_the_device_draws_nothing_is_prepared_for(drawn_by, parts):
    host, _, _ = host_of(tiny(), drawn_by=drawn_by)
    drawn = host.draw([Entry(1.0, mutation(seed, one)) for seed, one in enumerate(parts)])
    assert len(drawn.deltas) == (len(parts) if drawn_by == "numpy" and parts[0] == 500 else 0)


@pytest.mark.parametrize("drawn_by", ["numpy", "torch"])
def test_a_child_on_a_child_is_refused(drawn_by):
    host, _, _ = host_of(tiny(), drawn_by=drawn_by)
    host.apply([Entry(1.0, mutation(0))])
    with pytest.raises(RuntimeError, match="undo it first"):
        host.apply([Entry(1.0, mutation(1))])


def test_channels_last_transposes_the_weights_of_convolutions_alone():
    host, state, _ = host_of(tiny(), channels_last=True)
    assert host.model.conv.weight.is_contiguous(memory_format=torch.channels_last)
    assert not host.model.conv.weight.is_contiguous()
    assert all(torch.equal(host.model.state_dict()[name], value) for name, value in state.items())
    assert all(parameter.data_ptr() % 64 == host.buffer.data_ptr() % 64 for parameter in host.model.parameters())


@pytest.mark.parametrize(("chunk", "drawn_by"), [(1, "numpy"), (7, "numpy"), (40, "numpy"), (7, "torch")])
def test_a_network_is_written_in_chunks_of_any_size(monkeypatch, chunk, drawn_by):
    monkeypatch.setattr("evoray.evaluation.layout.CHUNK", chunk)
    monkeypatch.setattr("evoray.evaluation.host.DEVICE_SPAN", 2 * CHUNK)  # two chunks at once
    host, state, space = host_of(tiny(torch.bfloat16), channels_last=True, drawn_by=drawn_by)
    entries = [Entry(1.0, mutation(1, 3)), Entry(0.5, mutation(2, 1)), Entry(1.0, mutation(3, 100))]
    with host.child(entries):
        assert torch.equal(host.flat, expected(space, state, entries, torch.float32))
    assert torch.equal(host.flat, expected(space, state, [], torch.float32))


class Kept(nn.Module):
    """Keeps a product of its weights from eval() on, as LeViT keeps its attention biases."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(4, 3)

    def train(self, mode=True):
        super().train(mode)
        self.kept = None if mode else self.linear.weight.detach() * 2

    def forward(self, x):
        return x @ self.kept.T


@pytest.mark.parametrize("inside", [False, True])
@pytest.mark.parametrize("parts", [1, 100])
@pytest.mark.parametrize("drawn_by", ["numpy", "torch"])
def test_what_a_network_keeps_at_eval_follows_every_child(inside, parts, drawn_by):
    torch.manual_seed(0)
    model = nn.Sequential(Kept(), nn.Identity()) if inside else Kept()
    model.eval()
    host, _, space = host_of(model, drawn_by=drawn_by)
    assert host.renews
    x = torch.randn(2, 4)
    with torch.inference_mode():
        parent = host.forward(x)
        with host.child([Entry(1.0, mutation(1, min(parts, space.n), 3.0))]):
            weight = next(tensor for name, tensor in host.tensors().items() if name.endswith("weight"))
            assert torch.equal(host.forward(x), x @ (weight * 2).T)
        assert torch.equal(host.forward(x), parent)
        host.set_base([Entry(1.0, mutation(2, 1, 3.0))])
        assert not torch.equal(host.forward(x), parent)


def test_most_networks_keep_nothing():
    assert not host_of(tiny())[0].renews


def test_complex_weights_keep_their_imaginary_part():
    model = nn.Sequential(nn.Linear(2, 2))
    model.gate = nn.Parameter(torch.tensor([1 + 2j]))
    host, _, _ = host_of(model, torch.bfloat16)
    assert host.model.gate.item() == 1 + 2j and host.model[0].weight.dtype == torch.bfloat16


@pytest.mark.parametrize("own", DTYPES)
@pytest.mark.parametrize("channels_last", [False, True])
def test_the_tensors_of_a_child_are_what_is_exported(own, channels_last):
    host, state, space = host_of(tiny(own), channels_last=channels_last)
    lineage = Lineage((Entry(1.0, mutation(3)),))
    with host.child(lineage.entries):
        found = host.tensors()
    exported = child_state(state, space, lineage)
    assert found.keys() == {spec.name for spec in space.tensors}
    for name, tensor in found.items():
        assert tensor.dtype == own and torch.equal(tensor, exported[name]) and tensor.is_contiguous()


def test_a_train_that_returns_nothing_is_fine():
    class Silent(nn.Linear):
        def train(self, mode=True):
            super().train(mode)

    assert isinstance(host_of(Silent(3, 2).requires_grad_(False))[0].model, Silent)


# a device that works beside the host


def on_a_device(stand_in, parts, count=1, dtype=torch.float32):
    """A worker's way: drawn on another thread, applied and undone on this one; the reference's bits."""
    with stand_in.watched():
        host, state, space = host_of(tiny(), dtype)
        for seed in range(3):
            entries = [Entry(1.0, mutation(seed + number, parts)) for number in range(count)]
            with ThreadPoolExecutor(1) as pool:
                drawn = pool.submit(host.draw, entries).result()
            with host.child(drawn):
                assert torch.equal(host.flat, expected(space, state, entries, dtype))
            del drawn
            assert torch.equal(host.flat, expected(space, state, [], dtype))
    return host


@pytest.mark.parametrize(("parts", "count"), [(100, 1), (100, 2), (7, 1), (2, 3), (1, 1)])
@pytest.mark.parametrize("dtype", DTYPES)
def test_all_that_is_drawn_ahead_is_copied_from_pinned_memory(stand_in, parts, count, dtype):
    """Sparse, streamed and dense children: while a copy from other memory starts, the thread that asks has to wait."""
    on_a_device(stand_in, parts, count, dtype)
    copies = stand_in.did("to_device")
    assert len(copies) >= 6 and all(pinned for _, _, pinned in copies)
    assert stand_in.errors == [] and not stand_in.borrowed


def test_a_single_sparse_child_is_three_copies(stand_in):
    """Coordinates, what is added, and places: each pinned where it was drawn."""
    on_a_device(stand_in, 100)
    assert len(stand_in.did("pin")) == len(stand_in.did("to_device")) == 3 * 3
    assert {entry[1] for entry in stand_in.did("pin")} != {threading.current_thread().name}


def test_what_would_take_too_much_memory_is_not_drawn_ahead(stand_in, monkeypatch):
    monkeypatch.setattr("evoray.evaluation.host.AHEAD_BYTES", 0)
    host, _, _ = host_of(tiny())
    assert host.draw([Entry(1.0, mutation(1, 2))]).deltas == ()
    assert len(host.draw([Entry(1.0, mutation(1, 100))]).deltas) == 1


def test_on_the_cpu_nothing_is_pinned_and_dense_children_are_not_held():
    host, _, _ = host_of(tiny())
    assert host.draw([Entry(1.0, mutation(1, 2))]).deltas == ()
    assert not any(one.is_pinned() for one in host.draw([Entry(1.0, mutation(1, 100))]).deltas[0])


class Rows(nn.Module):
    """Ten layers of the same size, used from the last to the first."""

    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList(nn.Conv2d(8, 8, 3, padding=1, bias=False) for _ in range(10))

    def forward(self, x):
        for layer in reversed(self.layers):
            x = layer(x)
        return x


def layered(block, blocks=10, parts=1, seed=3):
    return Layered(blocks=blocks, block=block, parts=parts, part=0, mask_seed=seed, noise_seed=seed + 1, sigma=0.1)


def deep_host(**how):
    torch.manual_seed(0)
    space = host_of(Rows())[2].with_depth(list(range(10))[::-1])
    return ModelHost(Rows(), space, "cpu", **how), space


@pytest.mark.parametrize("how", [{}, {"channels_last": True}, {"dtype": torch.bfloat16}, {"drawn_by": "torch"}])
@pytest.mark.parametrize(
    ("tail", "most"),
    [
        ([layered(3)], 0.1),
        ([layered(0, parts=3)], 0.1),
        ([layered(9), layered(9, seed=8)], 0.1),
        ([layered(2), layered(7)], 0.2),
        ([layered(1, blocks=4)], 0.3),
        ([layered(4), mutation(1, parts=2)], 1.0),
    ],
)
def test_a_child_of_a_block_writes_that_block_and_nothing_else(how, tail, most, monkeypatch):
    """And undoes it: everything else is the base's anyway. The bits are those of the whole."""
    host, space = deep_host(**how)
    base = (Entry(1.0, mutation(5)),)
    host.set_base(base)
    before, flat = host.buffer.clone(), host._base.numpy().copy()
    written, write = [], host._write
    monkeypatch.setattr(host, "_write", lambda chunk, values: (written.append(len(values)), write(chunk, values))[1])
    entries = tuple(Entry(0.5, one) for one in tail)
    with host.child(entries):
        values = torch.from_numpy(apply_lineage(flat, space, entries)).to(host.dtype)
        assert torch.equal(host.flat, values)
    assert torch.equal(host.buffer, before)
    assert sum(written) <= 2 * (most * space.n + 1)
