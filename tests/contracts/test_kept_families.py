"""Every family of torchvision, cut at half of its weights and at its classifier: kept on is kept off, bit for bit."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch

from evoray.benchmarks.behind import contestants
from evoray.config import DataConfig
from evoray.evaluation.evaluator import Evaluator
from evoray.evaluation.program import Program
from evoray.fitness import FitnessSpec
from evoray.models import canonical_state, mutable_names
from evoray.mutation import Entry, Lineage, Mutation, Space
from tests.contracts.test_torchvision_families import FAMILIES, random_parent

SHARES = (0.5, 0.0)


def whole(name, dtype):
    parent = random_parent(name)
    state, _ = canonical_state(parent.model)
    mock = f"mock:size={FAMILIES[name]},classes=1000,shard_size=3,images=3"
    program = Program(
        space=Space.from_state(state, mutable_names(parent.model, ("*",), ()), "rms"),
        mean=(0.5,) * 3,
        std=(0.25,) * 3,
        data=DataConfig(path=mock, test_path=mock),
        seed=0,
        fitness=FitnessSpec("nll"),
        task="image-classification",
        device="cpu",
        dtype=dtype,
        batch_size=2,
        threads=1,
        compile=False,
        deterministic=True,
    )
    return Evaluator(copy.deepcopy(parent.model), program), parent.model


QUICK = {("resnet18", "bfloat16"), ("densenet121", "float32"), ("googlenet", "float32"), ("swin_t", "float32")}


@pytest.mark.parametrize(
    ("name", "dtype"),
    [
        pytest.param(name, dtype, marks=() if (name, dtype) in QUICK else pytest.mark.slow)
        for name in FAMILIES
        for dtype in ("float32", "bfloat16")
    ],
)
def test_kept_on_is_kept_off(name, dtype):
    evaluator, network = whole(name, dtype)
    mutation = Mutation(mask_seed=1, parts=3, part=1, noise_seed=2, sigma=0.1)
    for one in contestants(evaluator, network, SHARES, 3):
        assert one.cut is not None, one.evaluator.counters.note
        base, tail = Lineage(), (Entry(1.0, mutation),)
        (kept,) = one.evaluator.outputs_of(base, [tail], "select", 0)
        expected = one.evaluator.lineage_outputs(base, Lineage(tail), "select", 0)
        assert torch.equal(kept, expected)
        before = one.evaluator.lineage_outputs(base, base, "select", 0)
        assert not np.array_equal(before.numpy(), expected.numpy())
