from __future__ import annotations

import copy
import time
from typing import ClassVar

import pytest
import torch
from torch import nn

from evoray.benchmarks.baselines import OTHERS, SIGMA, naive_loop, others_of, shared_loops, take, types_of


class Watched(nn.Module):
    """A linear layer that keeps the weights it had and the batches it saw in every pass."""

    seen: ClassVar[list] = []

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(40, 50)

    def forward(self, images):
        Watched.seen.append((self.linear.weight.detach().clone(), images.clone()))
        return self.linear(images)


@pytest.fixture
def parent():
    Watched.seen = []
    torch.manual_seed(0)
    return Watched().eval()


def test_work_is_timed_by_the_clock_and_by_the_processor():
    wall, cpu = take(lambda: time.sleep(0.05))
    assert wall >= 0.05 > cpu >= 0


def test_every_image_is_seen_once_a_child_in_batches(parent):
    images = torch.randn(10, 40)
    naive_loop(parent, images, 4, 0.5, "cpu")(0)
    batches = [batch for _, batch in Watched.seen]
    assert [len(batch) for batch in batches] == [4, 4, 2] and torch.equal(torch.cat(batches), images)


def test_a_child_is_the_parent_with_noise_on_a_share_of_its_weights(parent):
    before = copy.deepcopy(parent.state_dict())
    run = naive_loop(parent, torch.zeros(1, 40), 1, 0.25, "cpu")
    for number in (0, 1, 0):
        run(number)
    first, other, again = (weight for weight, _ in Watched.seen)
    changed = first != before["linear.weight"]
    assert changed.float().mean().item() == pytest.approx(0.25, abs=0.05)
    spread = ((first - before["linear.weight"])[changed] / before["linear.weight"].std()).std().item()
    assert spread == pytest.approx(SIGMA, rel=0.15)
    assert torch.equal(first, again) and not torch.equal(first, other), "the number makes the child"
    assert all(torch.equal(tensor, before[name]) for name, tensor in parent.state_dict().items())


def test_a_tensor_of_one_value_has_no_spread_and_is_mutated_all_the_same():
    model = nn.Sequential(nn.Linear(1, 1, bias=False)).eval()
    naive_loop(model, torch.zeros(2, 1), 2, 1.0, "cpu")(0)
    assert torch.isfinite(model[0].weight).all()


@pytest.mark.parametrize("name", ["bfloat16", "float16"])
def test_the_naive_loop_in_a_reduced_type_is_in_it_from_images_to_weights(parent, name):
    dtype = getattr(torch, name)
    before = parent.linear.weight.to(dtype)
    naive_loop(parent, torch.randn(3, 40), 2, 0.25, "cpu", dtype)(0)
    assert {one.dtype for pair in Watched.seen for one in pair} == {dtype}
    changed = Watched.seen[0][0] != before
    assert 0.1 < changed.float().mean().item() < 0.3


def test_the_naive_loop_runs_in_float32_and_beside_it_in_the_type_of_evoray():
    def named(*asked):
        return [(name, *own) for name, _, own in others_of(*asked)]

    assert named("float32", True, True) == [("naive",), ("evotorch",)]
    assert named("bfloat16", True, True) == [("naive",), ("naive_dtype", torch.bfloat16), ("evotorch",)]
    assert named("float16", True, False) == [("naive",), ("naive_dtype", torch.float16)]
    assert named("bfloat16", False, False) == []
    assert {name for name, *_ in named("bfloat16", True, True)} == set(OTHERS)


@pytest.mark.parametrize(
    ("dtype", "ran", "under_its_type"),
    [
        ("float32", {"naive": [(2.0, 1.0)]}, [(2.0, 1.0)]),
        ("float32", {"forward": [(1.0, 1.0)]}, None),
        ("bfloat16", {"naive": [(2.0, 1.0)], "naive_dtype": [(9.0, 8.0)]}, [(9.0, 8.0)]),
    ],
)
def test_in_float32_one_naive_loop_stands_for_both(dtype, ran, under_its_type):
    found = shared_loops(ran, dtype)
    assert found.get("naive_dtype") == under_its_type and ran.items() <= found.items()


def test_only_what_follows_evoray_runs_in_its_type():
    types = types_of("bfloat16")
    assert {name for name, dtype in types.items() if dtype == "bfloat16"} == {"forward", "evoray", "naive_dtype"}
    assert set(types.values()) == {"bfloat16", "float32"} and set(OTHERS) < set(types)
