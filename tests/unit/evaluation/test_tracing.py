"""Where two passes part, and what a network keeps beside its parameters."""

from __future__ import annotations

import functools
import itertools
import logging
import random
from collections import deque
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from evoray.evaluation.tracing import differing, first_difference, kept_values, trace


class Doubt(nn.Module):
    """Adds a number that a test sets."""

    def __init__(self):
        super().__init__()
        self.add = 0.0

    def forward(self, x):
        return x + self.add


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.blocks = nn.Sequential(nn.Linear(4, 4), nn.Sequential(nn.ReLU(inplace=True), Doubt()), nn.Linear(4, 4))
        self.scale = 1.0

    def forward(self, x):
        return self.blocks(x) * self.scale


@pytest.fixture
def net():
    torch.manual_seed(0)
    return Net().eval()


def run(net, images=None):
    images = torch.ones(2, 4) if images is None else images
    with torch.inference_mode():
        return net(images.clone())


def test_equal_passes_part_nowhere(net):
    assert first_difference(trace(net, lambda: run(net)), trace(net, lambda: run(net))) is None


def test_the_innermost_module_is_named(net):
    before = trace(net, lambda: run(net))
    net.blocks[1][1].add = 1e-3
    found = first_difference(before, trace(net, lambda: run(net)))
    assert found.where == "blocks.1.1 (Doubt)"


def test_a_step_of_a_container_is_its_own(net):
    before = trace(net, lambda: run(net))
    net.scale = 2.0
    assert first_difference(before, trace(net, lambda: run(net))).where == "the forward of Net itself"


def test_other_modules_called_are_the_outermost_fault(net):
    before = trace(net, lambda: run(net))
    net.blocks = net.blocks[:1]
    assert first_difference(before, trace(net, lambda: run(net))).where.startswith("the forward of Net")


def test_one_row_is_followed_alone(net):
    images = torch.ones(2, 4)
    other = images.clone()
    other[0] = 5
    traces = [trace(net, lambda: run(net, batch), row=1, rows=2) for batch in (images, other)]  # noqa: B023
    assert first_difference(*traces) is None
    traces = [trace(net, lambda: run(net, batch), row=0, rows=2) for batch in (images, other)]  # noqa: B023
    assert traces[0] != traces[1]


def test_hooks_are_gone_afterwards(net):
    trace(net, lambda: run(net))
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in net.modules())


def closure():
    calls = [0]

    def count():
        calls[0] += 1
        return calls[0]

    return count


CHANGES = {
    "number": (lambda: 1, lambda net: setattr(net, "held", 2)),
    "flag": (lambda: False, lambda net: setattr(net, "held", True)),
    "tensor": (lambda: torch.zeros(2), lambda net: net.held.add_(1)),
    "in a list": (lambda: [torch.zeros(2)], lambda net: net.held[0].add_(1)),
    "a longer list": (lambda: [], lambda net: net.held.append(net)),
    "in a dictionary": (lambda: {"a": {"b": torch.zeros(2)}}, lambda net: net.held["a"]["b"].add_(1)),
    "another key": (lambda: {}, lambda net: net.held.update(a=1)),
    "a tuple": (lambda: (1, torch.zeros(1)), lambda net: net.held[1].add_(1)),
    "a deque": (lambda: deque(maxlen=3), lambda net: net.held.append(1)),
    "a set": (set, lambda net: net.held.add(1)),
    "an array": (lambda: np.zeros(2), lambda net: net.held.__setitem__(0, 1)),
    "an object": (lambda: SimpleNamespace(count=0), lambda net: setattr(net.held, "count", 1)),
    "a closure": (closure, lambda net: net.held()),
    "a bound argument": (lambda: functools.partial(max, [1]), lambda net: net.held.args[0].append(2)),
    "a counter": (lambda: itertools.count(), lambda net: next(net.held)),
    "torch's generator": (torch.Generator, lambda net: torch.rand(1, generator=net.held)),
    "NumPy's generator": (lambda: np.random.default_rng(0), lambda net: net.held.random()),
    "NumPy's old generator": (lambda: np.random.RandomState(0), lambda net: net.held.rand()),
    "Python's generator": (lambda: random.Random(0), lambda net: net.held.random()),
    "an unregistered module": (lambda: [nn.Linear(2, 2)], lambda net: net.held[0].weight.data.add_(1)),
    "a training flag": (lambda: None, lambda net: net.blocks[1].train()),
}


@pytest.mark.parametrize("case", CHANGES)
def test_a_change_of_what_is_kept_is_seen(net, case):
    make, change = CHANGES[case]
    net.held = make()
    before = kept_values(net)
    assert differing(before, kept_values(net)) == []
    change(net)
    (first, *_) = differing(before, kept_values(net))
    assert first.startswith("blocks.1" if case == "a training flag" else "held")


def test_buffers_are_kept_and_parameters_are_not(net):
    net.register_buffer("mean", torch.zeros(2), persistent=False)
    net.alias = net.blocks[0].weight
    before = kept_values(net)
    net.blocks[0].weight.data.add_(1)
    assert differing(before, kept_values(net)) == []
    net.mean.add_(1)
    assert differing(before, kept_values(net)) == ["mean"]


def test_objects_of_the_library_are_not_looked_into(net):
    net.log = logging.Logger("x")
    before = kept_values(net)
    net.log.handlers.append(logging.NullHandler())
    assert differing(before, kept_values(net)) == []


def test_a_circle_ends(net):
    net.held = {}
    net.held["self"] = net.held
    net.other = SimpleNamespace()
    net.other.me = net.other
    assert differing(kept_values(net), kept_values(net)) == []
