"""Hypothesis strategies and small parents, shared by the tests of evoray.mutation."""

from __future__ import annotations

import torch
from hypothesis import strategies as st

from evoray.mutation import Entry, Lineage, Mutation, Space
from evoray.mutation.layered import Layered

U64 = st.integers(0, 2**64 - 1)
PARTS = st.one_of(st.integers(1, 40), st.sampled_from([2**31, 2**32]))
SIGMAS = st.floats(2**-20, 1024, width=32)


@st.composite
def mutations(draw: st.DrawFn) -> Mutation:
    parts = draw(PARTS)
    return Mutation(
        mask_seed=draw(U64),
        parts=parts,
        part=draw(st.integers(0, parts - 1)),
        noise_seed=draw(U64),
        sigma=draw(SIGMAS),
        sign=draw(st.sampled_from([1, -1])),
    )


@st.composite
def layered(draw: st.DrawFn) -> Layered:
    blocks, parts = draw(st.one_of(st.integers(1, 40), st.sampled_from([2**20, 2**62]))), draw(PARTS)
    return Layered(
        blocks=blocks,
        block=draw(st.integers(0, blocks - 1)),
        parts=parts,
        part=draw(st.integers(0, parts - 1)),
        mask_seed=draw(U64),
        noise_seed=draw(U64),
        sigma=draw(SIGMAS),
        sign=draw(st.sampled_from([1, -1])),
    )


ENTRIES = st.builds(Entry, st.floats(-4, 4, width=32), mutations())
LINEAGES = st.builds(lambda entries: Lineage(tuple(entries)), st.lists(ENTRIES, max_size=4))


def parent(dtype: torch.dtype = torch.float32) -> dict[str, torch.Tensor]:
    """A batch norm, a convolution and a bias of zeros (scale 0), with buffers outside the space."""
    generator = torch.Generator().manual_seed(0)
    shapes = {"conv.weight": (8, 3, 3, 3), "bn.weight": (8,), "fc.weight": (10, 8), "é.weight": (3,)}
    state = {name: torch.randn(shape, generator=generator).to(dtype) for name, shape in shapes.items()}
    state["fc.bias"] = torch.zeros(10, dtype=dtype)
    state["bn.running_mean"] = torch.arange(8).float()
    state["bn.num_batches_tracked"] = torch.tensor(7)
    return state


def quantized(dtype: torch.dtype = torch.float32) -> dict[str, torch.Tensor]:
    """The same with weights of int8 and of uint8, some of them at the ends of what these hold."""
    state = parent(dtype)
    for name, own, zero in (("conv.weight", torch.int8, 0), ("fc.weight", torch.uint8, 128)):
        whole = torch.iinfo(own)
        state[name] = (state[name].float() * 60 + zero).round().clamp(whole.min, whole.max).to(own)
    return state


def space(state: dict[str, torch.Tensor]) -> Space:
    names = [name for name in state if name.endswith(("weight", "bias"))]
    return Space.from_state(state, names, "rms")


DEPTH = (1, 0, 4, 3, 2)
"""An order of first use of the tensors of ``parent``, in their order by name."""


def bits(tensor: torch.Tensor) -> bytes:
    """The tensor's own bytes, so that -0.0 and 0.0 differ."""
    return tensor.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()


LINEAGE = Lineage(
    (
        Entry(1.0, Mutation(mask_seed=11, parts=7, part=3, noise_seed=77, sigma=0.05)),
        Entry(0.3, Mutation(mask_seed=2**64 - 1, parts=1, part=0, noise_seed=2**63 + 9, sigma=0.01, sign=-1)),
        Entry(-0.125, Mutation(mask_seed=11, parts=7, part=3, noise_seed=78, sigma=0.05, sign=-1)),
    )
)
"""Sparse, dense, and again on the first one's coordinates; weights that float32 does and does not hold."""
DEEP_LINEAGE = Lineage(
    (
        Entry(1.0, Layered(blocks=4, block=0, parts=1, part=0, mask_seed=11, noise_seed=77, sigma=0.05)),
        Entry(0.3, Layered(blocks=3, block=2, parts=7, part=3, mask_seed=5, noise_seed=2**63 + 9, sigma=0.01, sign=-1)),
        *LINEAGE.entries[:2],
    )
)
"""Whole and sparse blocks of a space of format 2, and format 1's kind among them."""
