"""Compiled once: children written under the code are what it evaluates, and nothing is compiled again."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from evoray.config import DataConfig
from evoray.evaluation.evaluator import Evaluator
from evoray.evaluation.program import Program
from evoray.evaluation.settings import like_a_worker
from evoray.evaluation.units.children import Candidate, ChildrenUnit
from evoray.fitness import FitnessSpec
from evoray.models import canonical_state, mutable_names
from evoray.mutation import Entry, Lineage, Mutation, Space, child_state


class Network(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3)
        self.norm = nn.BatchNorm2d(8)
        self.out = nn.Linear(8, 10)

    def forward(self, x):
        return self.out(torch.relu(self.norm(self.conv(x))).mean((2, 3)))


def make_program(space, **changes):
    values = {
        "space": space,
        "mean": (0.5,) * 3,
        "std": (0.25,) * 3,
        "data": DataConfig(path="mock:images=100,size=16,classes=10,shard_size=50", select=0.8, test=0.2),
        "seed": 0,
        "fitness": FitnessSpec("nll"),
        "task": "image-classification",
        "device": "cpu",
        "dtype": "float32",
        "batch_size": 16,
        "threads": 1,
        "compile": True,
        "deterministic": True,
    }
    return Program(**(values | changes))


@pytest.fixture(autouse=True)
def one_thread(space):
    with like_a_worker(make_program(space)):
        yield


@pytest.fixture(scope="module")
def parent():
    torch.manual_seed(0)
    return Network().eval()


@pytest.fixture(scope="module")
def space(parent):
    state, _ = canonical_state(parent)
    return Space.from_state(state, mutable_names(parent, ("*",), ()), "rms")


def children(parts):
    return [
        Entry(1.0, Mutation(mask_seed=seed, parts=parts, part=0, noise_seed=seed, sigma=0.5)) for seed in range(1, 4)
    ]


def test_children_are_evaluated_by_code_that_was_compiled_once(parent, space):
    compiled = Evaluator(copy.deepcopy(parent), make_program(space))
    counters = torch._dynamo.utils.counters
    counters.clear()
    found = {}
    for parts in (1, 7, 60):
        for number, entry in enumerate(children(parts)):
            found[parts, number] = compiled.lineage_outputs(Lineage(), Lineage((entry,)), "select", number % 2)
    assert counters["stats"]["unique_graphs"] == 1
    state, _ = canonical_state(parent)
    fresh = Evaluator(copy.deepcopy(parent), make_program(space, compile=False))
    for (parts, number), logits in found.items():
        lineage = Lineage((children(parts)[number],))
        fresh.host.model.load_state_dict(child_state(state, space, lineage))
        assert torch.allclose(fresh.outputs("select", number % 2), logits, atol=1e-4)
    assert not torch.allclose(found[1, 0], found[1, 2], atol=1e-2)


def test_a_compiled_result_does_not_depend_on_what_ran_before(parent, space):
    names = [Candidate(str(number), (entry,)) for number, entry in enumerate(children(7))]
    one = Evaluator(copy.deepcopy(parent), make_program(space))
    together = ChildrenUnit(Lineage(), tuple(names), "select", 0).run(one)
    other = Evaluator(copy.deepcopy(parent), make_program(space))
    alone = [ChildrenUnit(Lineage(), (name,), "select", 0).run(other)[0] for name in reversed(names)]
    assert [row.tobytes() for row in together] == [row.tobytes() for row in reversed(alone)]
