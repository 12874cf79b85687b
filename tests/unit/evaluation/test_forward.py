from __future__ import annotations

import pytest
import torch
from torch import nn

from evoray.evaluation import forward
from evoray.evaluation.forward import make_forward
from tests.unit.evaluation.stand_in import MAIN, place


def test_a_network_is_run_as_it_is_unless_more_is_asked_for():
    model = nn.Linear(3, 2)
    assert make_forward(model) is model


def test_a_compiled_network_is_compiled_for_one_shape(monkeypatch):
    asked = []
    monkeypatch.setattr(forward.torch, "compile", lambda model, **options: asked.append((model, options)) or "compiled")
    model = nn.Linear(3, 2)
    assert make_forward(model, compiled=True) == "compiled"
    assert asked == [(model, {"dynamic": False})]


@pytest.mark.gpu
def test_a_replayed_graph_takes_the_weights_that_lie_there_now():
    model = nn.Linear(64, 10).cuda().eval()
    batch = torch.randn(8, 64, device="cuda")
    with torch.inference_mode():
        run = make_forward(model, cuda_graphs=True)
        for _ in range(3):
            model.weight.normal_()
            batch.normal_()
            assert torch.equal(run(batch), model(batch))


# graphs, in the order in which they have to be made and used


def images(seed):
    return torch.randn(4, 3, generator=torch.Generator().manual_seed(seed))


def names(stand_in):
    return [entry[0] for entry in stand_in.log]


def test_a_graph_is_captured_after_calls_on_a_stream_of_its_own(stand_in):
    streams = []
    model = nn.Linear(3, 2).requires_grad_(False)

    def run(batch):
        streams.append(stand_in.current_stream())
        return model(batch)

    with stand_in.watched():
        network = make_forward(run, cuda_graphs=True)
        network(images(0))
    side = stand_in.stream("capture")
    assert streams == [side] * forward.WARM_UP + [side, MAIN]  # the stand-in replays by running it again
    around = [(entry[0], entry[2]) for entry in stand_in.log if entry[0] != "replay"]
    assert around == [
        ("record_event", MAIN),  # the inputs are there
        ("wait_event", side),
        ("record_event", side),  # the first calls are done
        ("wait_event", MAIN),
        ("capture", side),
    ]
    assert stand_in.errors == []


def test_inputs_are_copied_in_before_each_replay_and_the_first_one_too(stand_in):
    model = nn.Linear(3, 2).requires_grad_(False)
    with stand_in.watched():
        network = make_forward(model, cuda_graphs=True)
        for seed in range(3):
            assert torch.equal(network(images(seed)), model(images(seed)))
            model.weight += 1
    assert names(stand_in).count("capture") == 1 and names(stand_in).count("replay") == 3
    assert stand_in.errors == []


def test_what_is_captured_stays_where_it_is(stand_in):
    """Memory of another stream is used without telling the allocator, so it has to live as long as the graph."""
    model, given = nn.Linear(3, 2).requires_grad_(False), images(0)
    with stand_in.watched():
        network = make_forward(model, cuda_graphs=True)
        first = network(given)
        held = network._inputs
        assert network(images(1)) is first  # overwritten by the next call
    assert all(one is other for one, other in zip(held, network._inputs, strict=True))
    assert given.data_ptr() not in {one.data_ptr() for one in held}
    assert stand_in.borrowed <= {place(one) for one in (*held, first)}


def test_a_network_that_writes_to_its_inputs_gets_them_anew(stand_in):
    with stand_in.watched():
        network = make_forward(lambda batch: batch.mul_(2) + 1, cuda_graphs=True)
        assert [torch.equal(network(images(seed)), images(seed) * 2 + 1) for seed in (0, 0, 1)] == [True] * 3


def test_several_inputs_and_outputs_are_each_copied_and_given_back(stand_in):
    with stand_in.watched():
        network = make_forward(lambda one, other: (one + other, one * other), cuda_graphs=True)
        for seed in range(2):
            one, other = images(seed), images(seed + 7)
            total, product = network(one, other)
            assert torch.equal(total, one + other) and torch.equal(product, one * other)


def test_inputs_of_another_shape_are_refused(stand_in):
    """A single row would be copied to all of them."""
    network = make_forward(nn.Linear(3, 2).requires_grad_(False), cuda_graphs=True)
    network(images(0))
    with pytest.raises(ValueError, match=r"\[4, 3\] is given \[1, 3\]"):
        network(images(0)[:1])


def test_a_compiled_network_is_compiled_before_it_is_captured(stand_in, monkeypatch):
    order = []
    monkeypatch.setattr(forward.torch, "compile", lambda model, **options: lambda batch: order.append(model) or batch)
    make_forward(nn.Identity(), compiled=True, cuda_graphs=True)(images(0))
    assert len(order) == forward.WARM_UP + 2


def test_two_threads_do_not_capture_at_once(stand_in):
    inside = []

    def run(batch):
        inside.append(forward.ONE_CAPTURE.locked())
        return batch + 1

    make_forward(run, cuda_graphs=True)(images(0))
    assert inside == [True] * (forward.WARM_UP + 1) + [False]  # a replay needs no lock


def test_memory_that_runs_out_is_no_reason_against_graphs(stand_in, monkeypatch):
    def full(run, stream):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(stand_in, "capture", full)
    with pytest.raises(torch.OutOfMemoryError):
        make_forward(nn.Linear(3, 2), cuda_graphs=True)(images(0))
