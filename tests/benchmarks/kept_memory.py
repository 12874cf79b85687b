"""Peak memory of a worker that keeps activations: ``python tests/benchmarks/kept_memory.py RESULTS.json``.

A ResNet-50 with random weights evaluates layered children (ten blocks) on ten shards of images of 224 pixels: with
kept activations under a budget that holds few of them and under one that holds all, and without under the same two
budgets. Each is a process of its own; its high-water mark is set back when the network and the first batch have been
run once, so that what starting takes does not hide the rest. It has to hold that keeping takes at most the budget and
5% of the parent more than not keeping.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import platform
import resource
import subprocess
import sys
import time
from pathlib import Path

import torch
import torchvision

from evoray.config import DataConfig
from evoray.evaluation.evaluator import Evaluator
from evoray.evaluation.kept.depth import first_use
from evoray.evaluation.program import Program
from evoray.evaluation.settings import like_a_worker
from evoray.evaluation.units.children import Candidate, ChildrenUnit
from evoray.fitness import FitnessSpec
from evoray.models import canonical_state, mutable_names
from evoray.mutation import Entry, Lineage, Space
from evoray.mutation.layered import Layered

SHARDS, BLOCKS = 10, (9, 4, 1)
"""Of ten: children of the last, the fifth and the second block."""
BUDGETS = {"few": 0.02, "all": 0.125}
"""GiB: room for some shards of images or of one cut, and for all shards at every cut."""
SLACK = 0.05
EXACT = {"MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "0", "MALLOC_ARENA_MAX": "1"}
"""What is freed goes back to the system at once: the C library's own way adds 15 MB, more or less, from run to run."""
MB = 1e6


def program_of(network: torch.nn.Module, images: int, size: int, gib: float, keep: bool) -> Program:
    state, _ = canonical_state(network)
    space = Space.from_state(state, mutable_names(network, ("*",), ()), "rms")
    names = [spec.name for spec in space.tensors]
    found = first_use(network, names, lambda: network(torch.zeros(1, 3, 64, 64)))
    mock = f"mock:size={size},classes=1000,shard_size={images},images={SHARDS * images}"
    return Program(
        space=space.with_depth(found.order),
        mean=(0.5,) * 3,
        std=(0.25,) * 3,
        data=DataConfig(path=mock, test_path=mock.replace(f"images={SHARDS * images}", "images=2")),
        seed=0,
        fitness=FitnessSpec("nll"),
        task="image-classification",
        device="cpu",
        dtype="float32",
        batch_size=min(images, 4),
        threads=1,
        compile=False,
        deterministic=True,
        resident_gib=gib,
        keep_activations=keep,
    )


def high_water_mb(reset: bool = False) -> float:
    """Resident set of this process at its highest; reset: from now on."""
    if reset:
        ctypes.CDLL(None).malloc_trim(0)  # what was freed would hide what is taken later
        Path("/proc/self/clear_refs").write_text("5")
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / MB


def measured(images: int, size: int, gib: float, keep: bool, children: int) -> dict[str, float]:
    """In this process."""
    network = torchvision.models.resnet50(weights=None).eval()
    parent = sum(one.nbytes for one in network.parameters())
    program = program_of(network, images, size, gib, keep)
    with like_a_worker(program):
        worker = Evaluator(network, program)
        next(worker.outputs_of(Lineage(), [(child(0, 0),)], "select", 0))
        worker._shard_cache.make_room(worker._shard_cache.budget)  # what starting loaded
        before, started = high_water_mb(reset=True), time.perf_counter()
        held = 0
        for block in BLOCKS:
            some = tuple(Candidate(f"c{seed}", (child(block, seed),)) for seed in range(children))
            for shard in range(SHARDS):
                ChildrenUnit(Lineage(), some, "select", shard).run(worker)
                held = max(held, sum(one.nbytes for one in worker._shard_cache._kept.values()))
        counters = worker.counters
    return {
        "parent_mb": parent / MB,
        "before_mb": before,
        "peak_mb": high_water_mb(),
        "held_mb": held / MB,
        "budget_mb": gib * 2**30 / MB,
        "images": counters.images,
        "passes": counters.passes,
        "seconds": time.perf_counter() - started,
    }


def child(block: int, seed: int) -> Entry:
    recipe = Layered(blocks=10, block=block, parts=1, part=0, mask_seed=seed, noise_seed=seed, sigma=0.01)
    return Entry(1.0, recipe)


def in_a_process(arguments: argparse.Namespace, gib: float, keep: bool) -> dict[str, float]:
    one = ["--one", str(gib), str(int(keep)), "--images", str(arguments.images), "--size", str(arguments.size)]
    command = [sys.executable, __file__, *one, "--children", str(arguments.children)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env={**os.environ, **EXACT})
    return dict(json.loads(done.stdout))


def compared(arguments: argparse.Namespace) -> dict[str, object]:
    """By budget: every repeat's figures, and whether what keeping takes more is within the budget and the slack."""
    found: dict[str, object] = {}
    for name, gib in BUDGETS.items():
        runs = {
            word: [in_a_process(arguments, gib, keep) for _ in range(arguments.repeats)]
            for word, keep in (("on", True), ("off", False))
        }
        peaks = {word: [one["peak_mb"] for one in some] for word, some in runs.items()}
        more = max(peaks["on"]) - min(peaks["off"])
        allowed = gib * 2**30 / MB + SLACK * runs["on"][0]["parent_mb"]
        found[name] = {**runs, "more_mb": more, "allowed_mb": allowed, "holds": more <= allowed}
        print(name, f"{more:.0f} MB more, {allowed:.0f} allowed", peaks, file=sys.stderr)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", nargs="?", type=Path)
    parser.add_argument("--images", type=int, default=2, help="a shard")
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--children", type=int, default=2, help="of each block")
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--one", nargs=2, metavar=("GIB", "KEEP"))
    arguments = parser.parse_args()
    if arguments.one:
        gib, keep = float(arguments.one[0]), bool(int(arguments.one[1]))
        print(json.dumps(measured(arguments.images, arguments.size, gib, keep, arguments.children)))
        return
    commit = subprocess.run(["git", "rev-parse", "HEAD"], check=True, capture_output=True, text=True).stdout.strip()
    about = {
        "commit": commit,
        "command": " ".join(["python", os.path.relpath(__file__), *sys.argv[1:]]),
        "device": f"{platform.machine()}, {torch.backends.cpu.get_cpu_capability()}",
        "torch": torch.__version__,
    }
    text = json.dumps({**about, **compared(arguments)}, indent=1)
    (arguments.results.write_text if arguments.results else print)(text + "\n")


if __name__ == "__main__":
    main()
