"""A child on the GPU is the CPU's, bit for bit: 100 recipes, in every type and layout."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch

from evoray.config import ParentConfig
from evoray.evaluation.host import ModelHost
from evoray.models import canonical_state, load_parent, mutable_names
from evoray.mutation import Entry, Mutation, Space
from evoray.mutation.device.choose import fastest

PARTS = (1, 2, 10, 39, 41, 100, 1000, 10_000)


@pytest.fixture(scope="module")
def parent():
    return load_parent(ParentConfig(name="resnet18", weights="random")).model


@pytest.fixture(scope="module")
def space(parent):
    state, _ = canonical_state(parent)
    return Space.from_state(state, mutable_names(parent, ("*",), ()), "rms")


def recipes(count=100):
    random = np.random.default_rng(0)
    for number in range(count):
        entries = []
        for _ in range(1 + number % 3):
            parts = int(random.choice(PARTS))
            seeds = (int(seed) for seed in random.integers(2**63, size=2))
            mutation = Mutation(
                mask_seed=next(seeds),
                parts=parts,
                part=int(random.integers(parts)),
                noise_seed=next(seeds),
                sigma=float(random.choice([0.001, 0.1, 3.0])),
                sign=int(random.choice([1, -1])),
            )
            entries.append(Entry(float(random.choice([1.0, 0.25, -1 / 3])), mutation))
        yield entries


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize("deterministic", [False, True])
@pytest.mark.parametrize("drawn_by", ["numpy", "torch", "triton"])
def test_a_hundred_recipes_give_the_cpus_bits(parent, space, dtype, channels_last, deterministic, drawn_by):
    hosts = [
        ModelHost(copy.deepcopy(parent), space, device, dtype, channels_last, by)
        for device, by in (("cpu", "numpy"), ("cuda", drawn_by))
    ]
    before = hosts[1].buffer.clone()
    torch.use_deterministic_algorithms(deterministic)
    try:
        for number, entries in enumerate(recipes()):
            split = number % 2 if len(entries) > 1 else 0
            for host in hosts:
                host.set_base(entries[:split])
                host.apply(host.draw(entries[split:]))
            found, expected = (host.buffer.cpu().view(torch.uint8) for host in (hosts[1], hosts[0]))
            assert torch.equal(found, expected), f"recipe {number}"
            for host in hosts:
                host.undo()
        hosts[1].set_base(())
    finally:
        torch.use_deterministic_algorithms(False)
    assert torch.equal(hosts[1].buffer.view(torch.uint8), before.view(torch.uint8))


def test_nothing_waits_for_the_gpu_while_a_child_is_drawn(parent, space):
    """Asked of CUDA itself; one child of each density first, which makes the tables and compiles the kernel."""
    for by in ("torch", "triton"):
        host = ModelHost(copy.deepcopy(parent), space, "cuda", torch.bfloat16, True, by)
        for mode in ("default", "error"):
            torch.cuda.set_sync_debug_mode(mode)
            try:
                for entries in recipes(12):
                    with host.child(entries):
                        pass
            finally:
                torch.cuda.set_sync_debug_mode("default")


def test_the_kernel_is_what_draws_here():
    assert fastest(torch.device("cuda")) == "triton"
