"""A write of chosen weights as one Triton kernel. Imported on GPUs alone: Triton comes with PyTorch's CUDA builds.

While deterministic algorithms are asked for, PyTorch sorts the indices of every such write on CUDA, in case one occurs
twice. Here none does, so that each weight is written once, by whichever program, and the order changes nothing.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

BLOCK = 1024
"""Weights a program writes."""


@triton.jit(do_not_specialize=["count"])  # type: ignore[untyped-decorator]
def _copy(flat, indices, values, count, block: tl.constexpr):  # type: ignore[no-untyped-def]
    place = tl.program_id(0).to(tl.int64) * block + tl.arange(0, block)
    inside = place < count
    tl.store(flat + tl.load(indices + place, mask=inside), tl.load(values + place, mask=inside), mask=inside)


def copy_unique_(flat: Tensor, indices: Tensor, values: Tensor) -> Tensor:
    """``flat[indices] = values`` for indices int64 [m] that differ from one another; all are contiguous, on one device.

    Like any kernel it runs on the current stream, and asks nothing of the process.
    """
    if len(indices):
        with torch.cuda.device_of(flat):  # type: ignore[no-untyped-call]  # Triton launches where PyTorch stands
            grid = (triton.cdiv(len(indices), BLOCK),)
            _copy[grid](flat, indices, values, len(indices), BLOCK, enable_fp_fusion=False)  # there is no arithmetic
    return flat
