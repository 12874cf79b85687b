"""The hot loop on a GPU: streamed shards, graphs and compiled code against the eager loop, and figures to keep.

The figures are printed, not asserted; keep them in tests/benchmarks/results with device and commit.
"""

from __future__ import annotations

import copy
import dataclasses
import json
import time

import pytest
import torch

from evoray.benchmarks.throughput import throughput
from evoray.config import DataConfig, ParentConfig
from evoray.evaluation.evaluator import Evaluator
from evoray.evaluation.program import Program
from evoray.evaluation.settings import like_a_worker
from evoray.evaluation.units.children import Candidate, ChildrenUnit
from evoray.fitness import FitnessSpec
from evoray.models import canonical_state, load_parent, mutable_names
from evoray.mutation import Entry, Lineage, Mutation, Space


@pytest.fixture(scope="module")
def parent():
    return load_parent(ParentConfig(name="resnet18", weights="random")).model


@pytest.fixture(scope="module")
def program(parent):
    state, _ = canonical_state(parent)
    return Program(
        space=Space.from_state(state, mutable_names(parent, ("*",), ()), "rms"),
        mean=(0.5,) * 3,
        std=(0.25,) * 3,
        data=DataConfig(path="mock:images=600,size=64,shard_size=300", select=0.9, test=0.1),
        seed=0,
        fitness=FitnessSpec("nll"),
        task="image-classification",
        device="cuda",
        dtype="float32",
        batch_size=64,
        threads=1,
        compile=False,
        deterministic=True,
    )


@pytest.fixture(autouse=True)
def set_like_a_worker(program):
    with like_a_worker(program):
        yield


def unit(shard=0, children=4, parts=10):
    mutations = [
        Mutation(mask_seed=seed, parts=parts, part=0, noise_seed=seed, sigma=0.1) for seed in range(1, children + 1)
    ]
    named = tuple(Candidate(str(number), (Entry(1.0, one),)) for number, one in enumerate(mutations))
    return ChildrenUnit(Lineage(), named, "select", shard)


def rows(parent, program, **changes):
    evaluator = Evaluator(copy.deepcopy(parent), dataclasses.replace(program, **changes))
    return [row.tobytes() for row in unit().run(evaluator)]


def test_the_same_bits_twice_and_under_any_budget(parent, program):
    expected = rows(parent, program)
    assert rows(parent, program) == expected
    assert rows(parent, program, resident_gib=0.0) == expected


@pytest.mark.parametrize("way", [{"cuda_graphs": True}, {"compile": True}, {"compile": True, "cuda_graphs": True}])
def test_graphs_and_compiled_code_see_every_child(parent, program, way):
    eager = Evaluator(copy.deepcopy(parent), program)
    other = Evaluator(copy.deepcopy(parent), dataclasses.replace(program, **way))
    seen = []
    for child in unit().children:
        lineage = Lineage(child.tail)
        expected, found = (one.lineage_outputs(Lineage(), lineage, "select", 1) for one in (eager, other))
        assert torch.allclose(found, expected, rtol=1e-3, atol=1e-3)
        seen.append(found)
    assert not torch.allclose(seen[0], seen[1], rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("model", ["resnet50", "vit_b_16"])
@pytest.mark.parametrize("way", [{"compile": True}, {"cuda_graphs": True}])
def test_bfloat16_against_the_bare_forward_pass(model, way):
    """Expected: a ratio_to_forward of at least 0.95."""
    results = throughput(
        model, [0.001, 0.01, 0.1, 1.0], 2048, "bfloat16", repeats=5, naive=False, evotorch=False, **way
    )
    print(json.dumps(results, indent=1))
    assert all(one["images_per_s"]["evoray"] > 0 for one in results)


def test_fifty_thousand_images_are_one_pass():
    model = load_parent(ParentConfig(name="resnet50", weights="random")).model
    state, _ = canonical_state(model)
    program = Program(
        space=Space.from_state(state, mutable_names(model, ("*",), ()), "rms"),
        mean=(0.5,) * 3,
        std=(0.25,) * 3,
        data=DataConfig(path="mock:images=50000,size=224,shard_size=1024", test_path="mock:images=1,size=224"),
        seed=0,
        fitness=FitnessSpec("nll"),
        task="image-classification",
        device="cuda",
        dtype="bfloat16",
        batch_size=256,
        threads=4,
        compile=True,
        deterministic=True,
    )
    evaluator = Evaluator(copy.deepcopy(model), program)
    for name in ("cold", "again"):
        started = time.perf_counter()
        images = sum(int(unit(shard, children=1).run(evaluator)[0][0]) for shard in evaluator.splits.shards("select"))
        torch.cuda.synchronize()
        seconds = time.perf_counter() - started
        print(f"50,000 images, {name}: {seconds:.1f} s, {images / seconds:.0f} images/s, {evaluator.device_name}")
        assert images == 50_000
