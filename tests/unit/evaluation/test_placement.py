"""Where tensors are: on a device that is not the CPU, with fake ones. Nothing is computed, and nothing may be mixed."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from torch._subclasses.fake_tensor import unset_fake_temporarily

from evoray.evaluation.evaluator import Evaluator
from evoray.evaluation.host import ModelHost
from evoray.mutation import Entry, Lineage, Mutation
from evoray.mutation.device.writer import TorchWriter
from tests.unit.evaluation.kept.nets import Plain, worker
from tests.unit.evaluation.on_fake_cuda import CUDA, fake_cuda

DTYPES = [torch.float32, torch.bfloat16]


def entry(seed, parts):
    return Entry(0.5, Mutation(mask_seed=seed, parts=parts, part=0, noise_seed=seed + 1, sigma=0.1))


def parent():
    with unset_fake_temporarily():  # a model comes with values, on the CPU
        return Plain().eval()


def host_on_cuda(dtype=torch.float32, channels_last=False, drawn_by="torch"):
    return ModelHost(parent(), SPACE, "cuda", dtype, channels_last, drawn_by)


WORKER = worker(Plain, images=21, batch_size=7, keep_activations=False)
SPACE, PROGRAM = WORKER.program.space, WORKER.program


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize("drawn_by", ["numpy", "torch"])
def test_a_host_is_on_its_device_with_all_it_holds(dtype, channels_last, drawn_by):
    with fake_cuda():
        host = host_on_cuda(dtype, channels_last, drawn_by)
        held = [host.buffer, host._base, *host.model.parameters(), *host.model.buffers()]
        assert {one.device for one in held} == {CUDA}
        assert {one.dtype for one in host.model.parameters()} == {dtype}
        assert {one.device.type for one in host.tensors().values()} == {"cpu"}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize("parts", [1, 2, 100])
@pytest.mark.parametrize("count", [1, 2])
def test_a_child_is_drawn_and_written_where_the_weights_are(dtype, channels_last, parts, count):
    with fake_cuda() as cuda:
        host = host_on_cuda(dtype, channels_last)
        host.set_base([entry(9, 2)])
        drawn = host.draw([entry(seed, parts) for seed in range(count)])
        with host.child(drawn), torch.inference_mode():
            assert host.forward(torch.zeros(2, 3, 16, 16, device="cuda", dtype=dtype)).device == CUDA
        assert drawn.deltas == () and cuda.pinned == 0


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("parts", "count", "pinned"), [(1, 1, 2), (2, 2, 4), (2, 1, 2)])
def test_a_child_that_numpy_draws_is_sent_there(dtype, parts, count, pinned):
    """A pair of tensors a chunk and entry. Sparse ones ask for values, and fake tensors have none."""
    with fake_cuda() as cuda:
        host = host_on_cuda(dtype, drawn_by="numpy")
        drawn = host.draw([entry(seed, parts) for seed in range(count)])
        assert cuda.pinned == pinned
        assert {one.device.type for pair in drawn.deltas for one in pair} == {"cpu"}
        with host.child(drawn):
            assert host.flat.device == CUDA


@pytest.mark.parametrize("gib", [0.0, None])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("graphs", [False, True])
def test_a_worker_runs_on_its_device(gib, dtype, graphs):
    program = dataclasses.replace(PROGRAM, device="cuda", resident_gib=gib, dtype=dtype, cuda_graphs=graphs)
    with fake_cuda() as cuda:
        evaluator = Evaluator(parent(), program)
        for outputs in evaluator.outputs_of(Lineage(), [[entry(1, 2)], [entry(2, 1)]], "select", 0):
            assert outputs.device == CUDA and outputs.shape == (21, 5) and outputs.dtype == torch.float32
        assert evaluator.targets("select", 0).device == CUDA
        batches = list(evaluator.prepared("select", 0).batches)
        assert {batch.inputs.device for batch in batches} == {CUDA}
        assert {batch.inputs.dtype for batch in batches} == {getattr(torch, dtype)}
    assert bool(cuda.pinned) is (gib == 0.0)


def test_tensors_on_two_devices_are_seen():
    """So these tests can fail."""
    with fake_cuda():
        host = host_on_cuda()
        assert isinstance(host._writer, TorchWriter)
        host._writer.table = host._writer.table.cpu()
        with pytest.raises(RuntimeError, match="device"), host.child([entry(1, 2)]):
            pass
        with pytest.raises(RuntimeError, match="device"):
            host.forward(torch.zeros(2, 3, 16, 16))
