"""CUDA tensors without a GPU: PyTorch's fake tensors, which have a device, a type and a shape, and no values.

An operation on tensors of two devices raises as it does on a GPU. What asks for a value (a norm, a comparison) cannot
be run. Streams, pinning and graphs are those of the CPU.
"""

from __future__ import annotations

import warnings
from contextlib import contextmanager
from unittest import mock

import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode

from evoray.evaluation import evaluator, shard_cache
from evoray.evaluation.accelerator import KINDS, CpuAccelerator
from evoray.mutation import apply
from evoray.mutation.device import choose

CUDA = torch.device("cuda", 0)


class AtHand(CpuAccelerator):
    """A device with memory of its own, to which everything has to be moved."""

    asynchronous = True

    def __init__(self, device):
        super().__init__(device)
        self.pinned = 0

    def pin(self, tensor):
        assert tensor.device.type == "cpu", "memory of the device is not pinned"
        self.pinned += 1
        return tensor

    def free_bytes(self):
        return 1 << 30


def _apply(module, fn, recurse=True):
    """``nn.Module._apply`` by replacing: it would swap fake tensors, which cannot be swapped."""
    for one in module.modules():
        for name, parameter in one._parameters.items():
            if parameter is not None:
                one._parameters[name] = nn.Parameter(fn(parameter.detach()), requires_grad=False)
        one._buffers.update({name: fn(buffer) for name, buffer in one._buffers.items() if buffer is not None})
    return module


def one_by_one(make, items):
    """``one_ahead`` on this thread; the other one is in no inference mode."""
    for item in items:
        with torch.inference_mode(False):
            made = make(item)
        yield made


def sorted_write(flat, places, values):
    return flat.index_copy_(0, places, values)


@contextmanager
def fake_cuda():
    """Inside, ``cuda`` is a device; yields its accelerator."""
    one = AtHand(CUDA)
    with (
        warnings.catch_warnings(),
        mock.patch.dict(KINDS, {"cuda": lambda device: one}),
        mock.patch.object(nn.Module, "_apply", _apply),
        mock.patch.object(torch.Tensor, "pin_memory", lambda tensor: one.pin(tensor)),
        mock.patch.object(shard_cache, "one_ahead", one_by_one),  # the mode is one thread's
        mock.patch.object(evaluator, "one_ahead", one_by_one),
        mock.patch.object(choose, "_kernel_runs", return_value=False),  # both are remembered by the process
        mock.patch.object(apply, "_unsorted_write", return_value=sorted_write),
        FakeTensorMode(allow_non_fake_inputs=True),
    ):
        warnings.filterwarnings("ignore", "Accessing the data pointer of FakeTensor")  # ties are found by address
        yield one
