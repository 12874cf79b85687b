"""What is asked of CUDA, the CPU that orders nothing, and whether the stand-in sees what goes wrong."""

from __future__ import annotations

import ast
from contextlib import nullcontext
from pathlib import Path
from unittest.mock import MagicMock

import pytest
import torch
from torch import nn

import evoray
from evoray.errors import EvaluationError
from evoray.evaluation import accelerator
from evoray.evaluation.accelerator import CpuAccelerator, CudaAccelerator, accelerator_of
from evoray.evaluation.units.children import Candidate, ChildrenUnit
from evoray.mutation import Entry, Lineage, Mutation
from tests.unit.evaluation.kept.nets import Plain, worker
from tests.unit.evaluation.stand_in import MAIN, StandIn

CPU = torch.device("cpu")
ROOT = Path(evoray.__file__).parent


def test_each_device_has_one_and_all_but_cuda_do_as_the_cpu():
    assert isinstance(accelerator_of(CPU), CpuAccelerator)
    assert isinstance(accelerator_of(torch.device("meta")), CpuAccelerator)
    assert isinstance(accelerator_of(torch.device("cuda", 1)), CudaAccelerator)
    assert accelerator_of(torch.device("cuda", 1)) is accelerator_of(torch.device("cuda", 1))
    assert accelerator_of(torch.device("cuda", 1)) is not accelerator_of(torch.device("cuda", 0))


def test_streams_events_pinning_and_graphs_are_asked_of_cuda_in_one_place():
    """But for a task, which is told whether to pin (``Preparation.pinned``)."""
    of_tensors = ("pin_memory", "record_stream", "wait_stream")
    own = {"Stream", "Event", "CUDAGraph", "graph", "current_stream", "mem_get_info", *of_tensors}
    found = {
        str(path.relative_to(ROOT))
        for path in ROOT.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute)
        and node.attr in own
        and (node.attr in of_tensors or "cuda" in ast.unparse(node))
    } - {"evaluation/shard_cache.py"}  # accelerator.record_stream
    assert found == {"evaluation/accelerator.py", "tasks/inputs.py"}


def test_the_cpu_does_nothing_and_loses_nothing():
    cpu, tensor = CpuAccelerator(CPU), torch.arange(3.0)
    stream = cpu.stream("batches")
    with cpu.use(stream):
        event = cpu.record_event(stream)
    cpu.wait_event(cpu.current_stream(), event)
    event.synchronize()
    cpu.record_stream(tensor, stream)
    cpu.synchronize()
    cpu.empty_cache()
    assert cpu.pin(tensor) is tensor and cpu.to_device(tensor) is tensor
    assert cpu.free_bytes() is None and not cpu.asynchronous


def test_what_the_cpu_captured_is_done_again_in_the_same_memory():
    start, cpu = torch.zeros(2), CpuAccelerator(CPU)
    replay, (first, second) = cpu.capture(lambda: (start + 1, start * 2), None)
    start += 3
    replay()
    assert first.tolist() == [4, 4] and second.tolist() == [6, 6]


@pytest.fixture
def cuda(monkeypatch):
    """``torch.cuda`` that only notes what it is asked."""
    fake = MagicMock()
    fake.graph.side_effect = lambda *args, **kwargs: nullcontext()
    fake.Stream.side_effect = lambda device: MagicMock()
    monkeypatch.setattr(accelerator.torch, "cuda", fake)
    return fake


def test_streams_are_made_once_for_a_purpose(cuda):
    one, device = CudaAccelerator(torch.device("cuda", 1)), torch.device("cuda", 1)
    assert one.stream("batches") is one.stream("batches") is not one.stream("capture")
    assert [call.args for call in cuda.Stream.call_args_list] == [(device,)] * 2
    one.current_stream()
    cuda.current_stream.assert_called_once_with(device)


def test_events_are_the_streams_own(cuda):
    one, stream, other, tensor = CudaAccelerator(torch.device("cuda")), MagicMock(), MagicMock(), MagicMock()
    event = one.record_event(stream)
    one.wait_event(other, event)
    one.record_stream(tensor, other)
    assert event is stream.record_event.return_value
    other.wait_event.assert_called_once_with(event)
    tensor.record_stream.assert_called_once_with(other)


def test_copies_do_not_wait(cuda):
    one, tensor = CudaAccelerator(torch.device("cuda", 1)), MagicMock()
    one.to_device(one.pin(tensor))
    tensor.pin_memory.return_value.to.assert_called_once_with(torch.device("cuda", 1), non_blocking=True)


def test_a_graph_is_captured_on_its_device_and_other_threads_go_on(cuda):
    one, stream = CudaAccelerator(torch.device("cuda", 1)), MagicMock()
    replay, output = one.capture(lambda: "output", stream)
    graph = cuda.CUDAGraph.return_value
    assert output == "output" and replay is graph.replay
    cuda.device.assert_called_once_with(torch.device("cuda", 1))
    cuda.graph.assert_called_once_with(graph, stream=stream, capture_error_mode="thread_local")


def test_what_waits_and_what_is_measured_is_of_the_device(cuda):
    one, device = CudaAccelerator(torch.device("cuda", 1)), torch.device("cuda", 1)
    cuda.mem_get_info.return_value = (3, 4)
    assert one.free_bytes() == 3
    one.synchronize()
    one.empty_cache()
    cuda.mem_get_info.assert_called_once_with(device)
    cuda.synchronize.assert_called_once_with(device)
    cuda.empty_cache.assert_called_once_with()


# the stand-in


@pytest.mark.parametrize("waits", [False, True])
def test_the_stand_in_sees_what_nothing_orders(waits):
    one = StandIn()
    with one.watched():
        with one.use(one.stream("batches")):
            made = torch.ones(3) * 2
            event = one.record_event(one.current_stream())
        assert one.current_stream() == MAIN
        if waits:
            one.wait_event(MAIN, event)
        made + 1
    assert bool(one.errors) is not waits
    assert len(one.borrowed) == 1


def test_the_stand_in_sees_memory_written_while_it_is_read():
    one = StandIn()
    with one.watched():
        made = torch.ones(3)
        event = one.record_event(MAIN)
        side = one.stream("batches")
        one.wait_event(side, event)
        one.record_stream(made, side)
        with one.use(side):
            made + 1
        assert not one.errors
        made.add_(1)
    assert len(one.errors) == 1 and not one.borrowed


def test_the_stand_ins_graph_holds_nothing_before_it_is_replayed():
    one, start = StandIn(), torch.zeros(2)
    replay, output = one.capture(lambda: start + 1, one.stream("capture"))
    assert output.isnan().all()
    start += 4
    replay()
    assert output.tolist() == [5, 5]
    with pytest.raises(RuntimeError, match="not permitted"):
        one.capture(lambda: start * start.sum().item(), one.stream("capture"))


# a whole worker


def rows(evaluator, children=4, parts=2):
    named = [
        Candidate(str(seed), (Entry(1.0, Mutation(mask_seed=seed, parts=parts, part=0, noise_seed=seed, sigma=0.3)),))
        for seed in range(children)
    ]
    return [row.tobytes() for row in ChildrenUnit(Lineage(), tuple(named), "select", 0).run(evaluator)]


@pytest.mark.parametrize("gib", [0.0, None])
@pytest.mark.parametrize("graphs", [False, True])
@pytest.mark.parametrize(("names", "parts"), [(("*",), 2), (("*",), 1), (("*",), 60), (("head",), 2)])
def test_a_worker_orders_all_it_does(put_in_place, gib, graphs, names, parts):
    """Streamed or kept, by graphs or without, whole networks and last parts: the CPU's bits, and nothing unordered."""
    how = {"names": names, "images": 21, "batch_size": 7, "resident_gib": gib}
    expected = rows(worker(Plain, **how), parts=parts)
    one = put_in_place()
    with one.watched():
        evaluator = worker(Plain, cuda_graphs=graphs, **how)
        found = rows(evaluator, parts=parts)
    assert found == expected
    assert one.errors == []
    assert all(pinned for _, _, pinned in one.did("to_device"))
    assert bool(one.did("replay")) is graphs
    assert bool(one.did("record_stream")) is (gib == 0.0)


@pytest.mark.parametrize("graphs", [False, True])
def test_without_waiting_for_events_it_would_not_be_ordered(put_in_place, graphs):
    """So the stand-in can fail."""
    one = put_in_place(broken=["wait_event"])
    with one.watched():
        rows(worker(Plain, images=21, batch_size=7, cuda_graphs=graphs, resident_gib=0.0))
    assert one.errors


class Fused(nn.Module):
    """Waits for the device in the middle."""

    def __init__(self):
        super().__init__()
        self.head = nn.Linear(3, 5)

    def forward(self, images):
        mean = images.mean((2, 3))
        return self.head(mean * mean.max().item())


def test_a_network_that_waits_for_the_device_cannot_be_captured(put_in_place):
    one = put_in_place()
    with one.watched(), pytest.raises(EvaluationError, match=r"cuda_graphs.*aten::item is not permitted.*Leave it out"):
        rows(worker(Fused, images=7, batch_size=7, cuda_graphs=True, keep_activations=False))
