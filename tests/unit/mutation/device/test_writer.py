"""Children written by torch's operations: NumPy's bits, and on a GPU nothing that goes to the host or waits for it."""

from __future__ import annotations

import pytest
import torch
from devices import DTYPES, ENTRIES, Deep, Network, check
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from evoray.mutation import Entry
from evoray.mutation.device import writer as module
from evoray.mutation.device.writer import TorchWriter


@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("own", ["float32", "bfloat16", "float16"])
def test_every_entry_gives_numpys_bits(own, dtype, transposed):
    check(TorchWriter, own, dtype, transposed)


@pytest.mark.parametrize("block", [16, 25])
def test_blocks_do_not_show(monkeypatch, block):
    monkeypatch.setattr(module, "BLOCK", block)
    check(TorchWriter, "bfloat16", torch.float32, True, ENTRIES[::3])


def test_the_base_may_change_between_two_writes():
    network = Network("float32", torch.float32, False)
    writer = network.made(TorchWriter)
    for _ in range(2):
        writer.write(ENTRIES[0])
        assert torch.equal(network.buffer, network.with_only(ENTRIES[0], network.rounded(ENTRIES[0])))
        network.base += 1


def test_a_kind_without_a_form_is_not_known():
    writer = Network("float32", torch.float32, False).made(TorchWriter)
    assert [writer.knows(Entry(1.0, Deep(seed=1, on_device=known))) for known in (True, False)] == [True, False]


class Placement(TorchDispatchMode):
    """Names of operations that touch a tensor which is not on the GPU."""

    def __init__(self):
        super().__init__()
        self.elsewhere, self.seen = [], 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        found = function(*args, **(kwargs or {}))
        tensors = [one for one in tree_leaves((args, kwargs, found)) if isinstance(one, torch.Tensor)]
        self.seen += 1
        self.elsewhere += [str(function) for one in tensors if one.device.type != "cuda"]
        return found


@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("entry", [ENTRIES[number] for number in (0, 1, 2, 6)], ids=["sparse", "dense", "half", "deep"])
def test_on_a_gpu_everything_stays_there(entry, transposed):
    """Tensors without values: who asks for one (``item``, ``tolist``, a length that depends on it) raises here."""
    with FakeTensorMode():
        network = Network("bfloat16", torch.float16, transposed, "cuda")
        writer = network.made(TorchWriter)
        writer.write(entry)  # makes the tables, which go to the device once
        with Placement() as placement:
            writer.write(entry)
            writer.restore(entry)
            writer.add_(network.base, entry, 0, network.space.n)
    assert placement.seen > 100 and placement.elsewhere == []
