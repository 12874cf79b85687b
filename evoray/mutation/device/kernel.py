"""The writer as one Triton kernel: words, mask, table, scale, base and buffer in one pass over the changed weights.

Imported where Triton is: it comes with PyTorch's CUDA builds. A program draws GROUPS counter blocks of the noise,
sixteen strata each, and the two counter blocks of the mask beside each of them. Nothing is kept: to restore, the mask
is drawn again. Every product and sum is rounded by itself (no fused multiply-add), and values are rounded to bfloat16
by their bits: the interpreter would cut them off.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import triton
import triton.language as tl
from torch import Tensor

from evoray.mutation.device.strata import Strata
from evoray.mutation.device.tables import Addresses, Tables
from evoray.mutation.device.writer import TorchWriter, Writer
from evoray.mutation.partition import Partition
from evoray.mutation.recipe import Entry
from evoray.mutation.space import Space, TensorSpec

GROUPS = 128
"""Counter blocks a program draws of the noise, one a thread: 2,048 strata."""
RESTORE, WRITE, ADD = 0, 1, 2
OPTIONS = {"enable_fp_fusion": False}
"""What it is compiled with."""

_scalars = ["mask_seed", "parts", "part", "noise_seed", "weight", "first", "stop", "start", "shift", "tensors"]


@triton.jit
def _round(x0, x1, x2, x3, k0, k1):  # type: ignore[no-untyped-def]
    a: tl.constexpr = 0xD2E7470EE14C6C93
    b: tl.constexpr = 0xCA5A826395121157
    a_wide, b_wide = tl.full(x0.shape, a, tl.uint64), tl.full(x2.shape, b, tl.uint64)
    high0, low0 = tl.umulhi(x0, a_wide), x0 * a_wide
    high1, low1 = tl.umulhi(x2, b_wide), x2 * b_wide
    return high1 ^ x1 ^ k0, low1, high0 ^ x3 ^ k1, low0


@triton.jit  # type: ignore[untyped-decorator]
def _philox(counters, seed, stream: tl.constexpr):  # type: ignore[no-untyped-def]
    """Four uint64 tensors: the outputs of Philox4x64-10 for uint64 counters."""
    zero = tl.zeros_like(counters)
    x0, x1, x2, x3 = counters, zero, zero, zero
    k0, k1 = zero + seed, zero + stream
    step0, step1 = (
        tl.full(zero.shape, 0x9E3779B97F4A7C15, tl.uint64),
        tl.full(zero.shape, 0xBB67AE8584CAA73B, tl.uint64),
    )
    for _ in tl.static_range(10):
        x0, x1, x2, x3 = _round(x0, x1, x2, x3, k0, k1)
        k0 += step0
        k1 += step1
    return x0, x1, x2, x3


@triton.jit  # type: ignore[untyped-decorator]
def _words(block, seed, stream: tl.constexpr, blocks: tl.constexpr, each: tl.constexpr):  # type: ignore[no-untyped-def]
    """uint64 [blocks * each]: the words of counter blocks from ``block`` on, ``each`` of them in one."""
    counters = (block + tl.arange(0, blocks) + 1).to(tl.uint64)  # the counter is raised before each block
    x0, x1, x2, x3 = _philox(counters, seed, stream)
    # joined, not selected: so a thread draws a counter block once and holds all of its words
    outputs = tl.join(tl.join(x0, x2), tl.join(x1, x3))
    if each == 8:
        words = tl.join(outputs & 0xFFFFFFFF, outputs >> 32)
    else:
        even = tl.join(outputs & 0xFFFF, (outputs >> 32) & 0xFFFF)
        words = tl.join(even, tl.join((outputs >> 16) & 0xFFFF, outputs >> 48))
    return tl.reshape(words, (blocks * each,))


@triton.jit
def _row(stops, drawn, low, high, span):  # type: ignore[no-untyped-def]
    """The first of the rows low … high whose stop is above ``drawn``, by halving; ``span`` is high - low at most."""
    while span > 0:
        middle = (low + high) // 2
        above = tl.load(stops + middle) > drawn
        low = tl.where(above, low, tl.minimum(middle + 1, high))
        high = tl.where(above, middle, high)
        span = span // 2
    return low


@triton.jit
def _bfloat16_bits(values):  # type: ignore[no-untyped-def]
    """The upper 16 bits of float32 values rounded to nearest even, as int32 of 32 bits; NaN stays one."""
    bits = values.to(tl.int32, bitcast=True)
    rounded = bits + 0x7FFF + ((bits >> 16) & 1)
    return tl.where(values != values, bits | 0x400000, rounded) & -65536


@triton.jit
def _drawn_rows(drawn, inside, lowest, highest, stops, tensors):  # type: ignore[no-untyped-def]
    """Whose each drawn coordinate is; all are from ``lowest`` to ``highest``, mostly of few tensors."""
    last = tensors.to(tl.int32) - 1
    low = _row(stops, lowest, last * 0, last, last)
    high = _row(stops, highest, low, last, last - low)
    within = tl.zeros_like(drawn).to(tl.int32)
    return _row(stops, tl.where(inside, drawn, lowest), within + low, within + high, high - low)


@triton.jit  # type: ignore[untyped-decorator]
def _place(inner, row, places, channels, window, transposed: tl.constexpr):  # type: ignore[no-untyped-def]
    """Where in the buffer: row-major (o, i, p) with p in the window goes to (o, p, i) where a tensor is transposed."""
    if transposed:
        wide, depth = tl.load(window + row).to(tl.uint32), tl.load(channels + row).to(tl.uint32)
        short = inner.to(tl.uint32)
        line = short // wide
        channel = line % depth
        moved = (line - channel) * wide + (short - line * wide) * depth + channel
        inner = tl.where(wide > 1, moved.to(tl.int64), inner)
    return tl.load(places + row) + inner


@triton.jit
def _as_own(values, code):  # type: ignore[no-untyped-def]
    """float32 as the parent's own types hold it: OWN_TYPES of ``tables``."""
    values = tl.where(code == 1, _bfloat16_bits(values).to(tl.float32, bitcast=True), values)
    return tl.where(code == 2, values.to(tl.float16).to(tl.float32), values)


@triton.jit(do_not_specialize=_scalars)  # type: ignore[untyped-decorator]
def child_kernel(  # type: ignore[no-untyped-def]
    base,
    target,
    table,
    amplitudes,
    starts,
    stops,
    flat,
    places,
    channels,
    window,
    own,
    mask_seed: tl.uint64,
    parts: tl.uint64,
    part: tl.uint64,
    noise_seed: tl.uint64,
    weight: tl.float32,
    first: tl.int64,
    stop: tl.int64,
    start: tl.int64,
    shift: tl.int64,
    tensors: tl.int32,
    mode: tl.constexpr,
    dense: tl.constexpr,
    transposed: tl.constexpr,
    rounds: tl.constexpr,
    bfloat16: tl.constexpr,
    groups: tl.constexpr,
):
    """A program's share of the strata first … stop - 1 of a run that starts at ``start``.

    mode RESTORE writes the base's values, WRITE those of base + delta, both to the buffer ``target`` (bfloat16 as its
    bits, int16). ADD adds the delta to float32 ``target`` at a position + ``shift``.
    """
    group = first.to(tl.int64) // 16 + tl.program_id(0).to(tl.int64) * groups
    numbers = group * 16 + tl.arange(0, 16 * groups)
    inside = (numbers >= first) & (numbers < stop)
    position = numbers
    if not dense:
        each = parts.to(tl.uint64)
        word = _words(group * 2, mask_seed.to(tl.uint64), 1, 2 * groups, 8)
        offset = ((word * each) >> 32) + part.to(tl.uint64)
        offset = tl.where(offset >= each, offset - each, offset)
        position = numbers * parts.to(tl.int64) + offset.to(tl.int64)
    drawn = position + start
    lowest = start + tl.maximum(group * 16, first.to(tl.int64)) * parts.to(tl.int64)
    highest = start + tl.minimum(group * 16 + 16 * groups, stop.to(tl.int64)) * parts.to(tl.int64) - 1
    row = _drawn_rows(drawn, inside, lowest, highest, stops, tensors)
    if mode != 0:
        code = _words(group, noise_seed.to(tl.uint64), 2, groups, 16)
        delta = tl.load(table + code.to(tl.int32)) * tl.load(amplitudes + row) * weight
    if mode == 2:
        at = target + (position + shift)
        tl.store(at, tl.load(at, mask=inside, other=0.0) + delta, mask=inside)
    else:
        inner = drawn - tl.load(starts + row)
        values = tl.load(base + (tl.load(flat + row) + inner), mask=inside, other=0.0)
        if mode == 1:
            values += delta
        if rounds:
            values = _as_own(values, tl.load(own + row))
        at = target + _place(inner, row, places, channels, window, transposed)
        if bfloat16:
            tl.store(at, (_bfloat16_bits(values) >> 16).to(tl.int16), mask=inside)
        else:
            tl.store(at, values.to(target.dtype.element_ty), mask=inside)


class TritonWriter(Writer):
    """By one launch a child; on a CPU by Triton's interpreter, which the environment has to ask for."""

    def _put(self, entry: Entry, changed: bool) -> None:
        strata = self._strata(entry)
        first, count = strata.between(0, strata.length)
        bits = self.buffer.view(torch.int16) if self.buffer.dtype == torch.bfloat16 else self.buffer
        self._launch(bits, entry.weight, strata, first, count, 0, WRITE if changed else RESTORE)

    def _add(self, values: Tensor, weight: float, strata: Strata, first: int, count: int, shift: int) -> None:
        self._launch(values, weight, strata, first, count, shift, ADD)

    def _launch(
        self, target: Tensor, weight: float, strata: Strata, first: int, count: int, shift: int, mode: int
    ) -> None:
        if not count:
            return
        tables = self.tables(strata.order)
        with torch.cuda.device_of(self.base):  # type: ignore[no-untyped-call]  # Triton launches where PyTorch stands
            child_kernel[(triton.cdiv(first % 16 + count, 16 * GROUPS),)](
                self.base,
                target,
                self.table,
                tables.amplitudes(strata),
                *tables.rows(),
                strata.mask_seed,
                strata.parts,
                strata.part,
                strata.noise_seed,
                float(np.float32(weight)),
                first,
                first + count,
                strata.start,
                shift,
                len(tables.stops),
                **constants(tables, strata, mode, self.buffer.dtype),
                **OPTIONS,
            )


def constants(tables: Tables, strata: Strata, mode: int, dtype: torch.dtype) -> dict[str, Any]:
    """What a version of the kernel is compiled for."""
    return {
        "mode": mode,
        "dense": strata.parts == 1,
        "transposed": tables.transposed,
        "rounds": bool(tables.rounded),
        "bfloat16": dtype == torch.bfloat16,
        "groups": GROUPS,
    }


def probe(device: torch.device) -> bool:
    """Whether the kernel writes what it should, on a small network."""
    space = Space([TensorSpec("a", (40,), "float32", 1.0), TensorSpec("b", (9, 3), "float32", 0.5)])
    zeros = np.zeros(2, dtype=np.int64)
    addresses = Addresses(space.offsets[:-1], zeros + 1, zeros + 1)
    written = []
    for kind, where in ((TorchWriter, torch.device("cpu")), (TritonWriter, device)):
        base, buffer = torch.ones(space.n, device=where), torch.zeros(space.n, device=where)
        mutation = Partition(mask_seed=1, parts=3, part=1, noise_seed=2, sigma=0.5)
        kind(space, base, buffer, addresses).write(Entry(0.3, mutation))
        written.append(buffer.cpu())
    return torch.equal(*written)
