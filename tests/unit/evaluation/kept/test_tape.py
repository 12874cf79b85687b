from __future__ import annotations

import pytest
import torch
from torch import nn

from evoray.evaluation.kept.cut import Cut
from evoray.evaluation.kept.tape import Ref, Unrepeatable, record


def taped(run, *inputs, owner=lambda tensor: ()):
    with torch.inference_mode():
        return record(lambda: run(*inputs), inputs, owner)


def names(tape):
    return [str(one.function).split(".")[1] for one in tape.operations]


def test_operations_stand_in_the_order_in_which_they_run():
    tape, output = taped(lambda x: (x + 1).relu().sum(), torch.ones(3))
    assert names(tape) == ["add", "relu", "sum"] and output == 6
    assert tape.inputs == 1 and tape.output == Ref(3)
    assert [list(one.reads()) for one in tape.operations] == [[0], [1], [2]]


def test_values_in_place_are_the_same_value_and_views_the_same_memory():
    def run(x):
        start = x * 2
        start.add_(1)
        view = start[1:]
        return view + start[:2]

    tape, _ = taped(run, torch.arange(3.0))
    multiply, add = tape.operations[:2]
    assert add.gives == multiply.gives and add.writes == {multiply.gives[0]}
    assert tape.storage[tape.operations[2].gives[0]] == multiply.gives[0]
    assert not multiply.writes


def test_first_use_is_by_the_tensor_that_an_operation_is_given():
    layers = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2)).requires_grad_(False)
    where = {one.data_ptr(): number for number, one in enumerate(layers.parameters())}
    tape, _ = taped(
        lambda x: layers[1](layers[0](x)) @ layers[0].weight,
        torch.ones(1, 2),
        owner=lambda one: [where[one.data_ptr()]] if one.data_ptr() in where else [],
    )
    assert tape.first_use == {0: 0, 1: 0, 2: 1, 3: 1}
    assert len(tape.constants) == 4


@pytest.mark.parametrize(
    ("run", "why"),
    [
        (lambda x: x * x.sum().item(), "depends on the batch"),
        (lambda x: x if x.sum() > 0 else -x, "depends on the batch"),
        (lambda x: x[x > 0], "depends on the batch"),
        (lambda x: torch.nonzero(x), "depends on the batch"),
        (lambda x: torch.unique(x), "depends on the batch"),
        (lambda x: x + torch.randn(3), "draws random numbers"),
        (lambda x: nn.functional.dropout(x, 0.5, training=True), "draws random numbers"),
        (lambda x: x.bernoulli(), "draws random numbers"),
    ],
)
def test_what_differs_from_batch_to_batch_is_refused(run, why):
    with pytest.raises(Unrepeatable, match=why):
        taped(run, torch.ones(3))


@pytest.mark.parametrize(
    "run",
    [
        lambda x: nn.functional.dropout(x, 0.5, training=False),
        lambda x: x[torch.tensor([0, 2])],
        lambda x: x[[2, 1]],
        lambda x: torch.where(x > 0, x, -x),
    ],
)
def test_what_only_looks_like_it_is_taken(run):
    tape, _ = taped(run, torch.ones(3))
    assert tape.operations


def test_an_output_may_be_a_dictionary_with_other_things_in_it():
    tape, _ = taped(lambda x: {"logits": x + 1, "loss": None, "more": (x, 3)}, torch.ones(2))
    assert tape.output == {"logits": Ref(1), "loss": None, "more": (Ref(0), 3)}


@pytest.mark.parametrize("device", ["cpu", "cuda:1"])
def test_the_generator_of_the_workers_own_device_is_asked(monkeypatch, device):
    """A worker of one GPU leaves the others alone, and one of the CPU all of them."""
    asked = []

    def state(of="cuda"):
        asked.append(torch.device(of))
        return torch.zeros(1, dtype=torch.uint8)

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_rng_state", state)
    inputs = [torch.ones(3)]
    with torch.inference_mode():
        record(lambda: nn.functional.dropout(inputs[0], 0.5, False), inputs, lambda tensor: (), torch.device(device))
        with pytest.raises(Unrepeatable, match="draws random numbers"):
            record(lambda: torch.rand(3), inputs, lambda tensor: (), torch.device(device))
    assert set(asked) == ({torch.device(device)} if "cuda" in device else set())


def test_a_number_of_the_codes_own_is_new_in_each_pass():
    """As the length of a cache is, which a pass adds to."""

    def run(x):
        length = torch.tensor(2)
        found = x[:, torch.arange(2) + length]
        length.add_(2)
        return found + length

    tape, output = taped(run, torch.arange(8.0).reshape(2, 4))
    rest = Cut(tape, 0).rest()
    for _ in range(2):
        assert torch.equal(rest(torch.arange(8.0).reshape(2, 4))[0], output)
    assert [one.item() for one in tape.constants] == [2]
