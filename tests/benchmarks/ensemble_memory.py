"""Peak memory of driver and worker for an ensemble of 64 members x 50,000 images x 1,000 classes.

    uv run python tests/benchmarks/ensemble_memory.py [--images N] [--members M] [--shards S] [--out FILE.json]

All members' logits would be 64 x 200 MB. A linear network on mock images makes real logits of that shape cheaply; the
units, their results and the choice are the ones of a run: candidates' true-class probabilities on ``select``, greedy
selection, temperature, then the panel on ``test``. One worker process does all shards; memory is each process's
peak resident set above what it held before its first unit. ``--shards S`` evaluates only the first S of each split (a
worker holds one at a time) and gives the driver copies of their results for all the others, which is a minute's work.
"""

from __future__ import annotations

import argparse
import copy
import json
import multiprocessing
import platform
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from evoray.config import parse_config
from evoray.config.resolve import Facts, resolve
from evoray.data.splits import SearchClosed
from evoray.ensembles import Member, greedy
from evoray.evaluation.evaluator import Evaluator
from evoray.evaluation.settings import like_a_worker
from evoray.evaluation.units.children import Candidate
from evoray.evaluation.units.ensemble import OwnUnit, PanelUnit
from evoray.mutation import Lineage, Mutation
from evoray.results.panel import Panel
from evoray.runtime.malloc import keep_freed_memory
from evoray.search.inputs import check_inputs
from evoray.search.workers import make_program

CLASSES = 1000
PARENT = """
from torch import nn

def linear():
    return nn.Sequential(nn.Flatten(), nn.Linear(48, 1000))
"""


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def prepare(folder: str, images: int):
    """(inputs, program) of a run on mock images; the same in both processes."""
    mock = f"mock:images={images},size=4,classes={CLASSES},shard_size=1024"
    values = {
        "parent": {"source": "module", "name": "memory_parent:linear", "weights": "random"},
        "data": {"path": mock, "test_path": mock + ",seed=1"},
        "compute": {"backend": "local", "device": "cpu", "threads_per_worker": 1, "gpus_per_worker": 0},
    }
    inputs = check_inputs(parse_config(values), Path(folder))
    return inputs, make_program(inputs, resolve(inputs.config, Facts(has_gpu=False)))


def serve(pipe, folder: str, images: int) -> None:
    inputs, program = prepare(folder, images)
    with like_a_worker(program):
        evaluator = Evaluator(inputs.parent.model, program)
        keep_freed_memory()
        before = peak_mb()
        pipe.send("ready")
        while (unit := pipe.recv()) is not None:
            pipe.send(unit.run(evaluator))
        pipe.send((before, peak_mb()))


def main() -> None:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--images", type=int, default=50_000)
    arguments.add_argument("--members", type=int, default=64)
    arguments.add_argument("--shards", type=int)
    arguments.add_argument("--out", type=Path)
    options = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "memory_parent.py").write_text(PARENT)
        context = multiprocessing.get_context("spawn")
        pipe, other = context.Pipe()
        process = context.Process(target=serve, args=(other, folder, options.images))
        process.start()
        pipe.recv()
        result = measure(pipe, prepare(folder, options.images)[0], options)
        process.join()
    print(json.dumps(result, indent=1))
    if options.out:
        options.out.write_text(json.dumps(result, indent=1) + "\n")


def filled(results: list, count: int) -> list:
    """As many results as there are shards: copies with memory of their own where fewer were evaluated."""
    return results + [copy.deepcopy(results[at % len(results)]) for at in range(count - len(results))]


def measure(pipe, inputs, options) -> dict:
    def ask(unit):
        pipe.send(unit)
        return pipe.recv()

    lineages = [Lineage().child(Mutation(mask_seed=1, parts=64, part=k, noise_seed=k, sigma=0.1)) for k in range(64)]
    candidates = tuple(Candidate(f"c{k}", one.entries) for k, one in enumerate(lineages[: options.members]))
    before, started = peak_mb(), time.perf_counter()
    shards = inputs.splits.shards("select")
    probabilities = [np.stack(ask(OwnUnit(Lineage(), candidates, "select", s))) for s in shards[: options.shards]]
    own = np.concatenate(filled(probabilities, len(shards)), axis=1)
    chosen = greedy(own, options.members)
    choosing = time.perf_counter() - started
    members = tuple(Member(f"c{k}", lineages[k]) for k in range(options.members))  # all of them: the largest panel
    like = PanelUnit(Lineage(), (("parent", Lineage()),), members, "select", 0, fit_temperatures=True)
    temperatures = Panel(like.names, members, [ask(replace(like, shard=shards[0]))[0]], inputs.task).temperatures()
    closed = SearchClosed("benchmark")
    inputs.splits.open_test(closed)
    last = replace(like, split="test", closed=closed, fit_temperatures=False, temperatures=temperatures)
    started = time.perf_counter()
    tested = inputs.splits.shards("test")
    found = [ask(replace(last, shard=s))[0] for s in tested[: options.shards]]
    panel = Panel(last.names, members, filled(found, len(tested)), inputs.task)
    looking = time.perf_counter() - started
    metrics, diversity = panel.figures("ensemble"), panel.diversity()
    pipe.send(None)
    worker_before, worker_peak = pipe.recv()
    return {
        "what": f"{options.members} members x {options.images} images x {CLASSES} classes",
        "shards_evaluated": [min(options.shards or len(shards), len(shards)), len(shards)],
        "command": "python " + " ".join(sys.argv),
        "commit": subprocess.check_output(["git", "rev-parse", "--short", "HEAD"], text=True).strip(),
        "device": f"{platform.machine()} CPU, 1 thread, one worker",
        "all_logits_float32_mb": options.members * options.images * CLASSES * 4 / 2**20,
        "driver_mb": {"before": before, "peak": peak_mb(), "grown": peak_mb() - before},
        "worker_mb": {"before": worker_before, "peak": worker_peak, "grown": worker_peak - worker_before},
        "seconds": {"choosing": choosing, "last_look": looking},
        "seen": {
            "distinct_in_greedy": len(chosen.indices),
            "n": metrics["n"],
            "nll": metrics["nll"],
            "kl": diversity.kl(np.ones(options.members)),
        },
    }


if __name__ == "__main__":
    main()
