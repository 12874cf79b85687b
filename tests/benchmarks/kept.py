"""Children behind a cut, against the bare forward pass, in one run: ``python tests/benchmarks/kept.py RESULTS.json``.

For each network and cut: EvoRay's children, the bare forward pass of the whole network, and the bare last part (what
the operations behind the cut allow: no child is drawn, nothing is scored). Beforehand the operations are counted:
``expected`` is the whole network's multiplications over those behind the cut, which early layers of few channels and
large images beat, since they are bound by memory.
"""

from __future__ import annotations

import argparse
import copy
import dataclasses
import functools
import json
import platform
import subprocess
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from evoray.benchmarks.baselines import take
from evoray.benchmarks.behind import Contestant, contestants
from evoray.benchmarks.throughput import _alternate, _forward, _mutation, _program, _timed
from evoray.evaluation.evaluator import Evaluator
from evoray.evaluation.kept.keeper import Keeper
from evoray.evaluation.settings import like_a_worker
from evoray.evaluation.units.children import Candidate, ChildrenUnit
from evoray.mutation import Entry, Lineage
from evoray.mutation.layered import Layered
from evoray.runtime.malloc import freed_memory_kept

IMAGES = {
    "resnet18": 128,
    "mobilenet_v3_large": 128,
    "efficientnet_b0": 96,
    "densenet121": 48,
    "resnet50": 48,
    "swin_t": 32,
    "vit_b_16": 16,
}
SHARES = (0.5, 0.75, 0.95, 0.0)
EXTRA = {"resnet18": (0.94,)}


def measured(name: str, dtype: str, repeats: int, threads: int) -> list[dict[str, Any]]:
    images = IMAGES[name]
    program, network = _program(name, images, dtype, 224, threads, "channels-last", False, False)
    with like_a_worker(program), freed_memory_kept():
        whole = Evaluator(copy.deepcopy(network), program)
        cuts = contestants(whole, network, (*SHARES, *EXTRA.get(name, ())), images)
        loops = {"forward": lambda _: take(lambda: _forward(whole))}
        for number, cut in enumerate(cuts):
            if cut.cut is None:  # all of the work is behind it, so nothing is kept
                loops |= {f"{one} {number}": loops["forward"] for one in ("evoray", "rest")}
                continue
            loops[f"evoray {number}"] = functools.partial(_timed, cut.evaluator, 100)
            loops[f"rest {number}"] = lambda _, cut=cut: take(lambda: _rest(cut))  # type: ignore[misc]
        taken = _alternate(loops, repeats)
    return [_row(name, dtype, images, number, cut, taken) for number, cut in enumerate(cuts)]


def _rest(cut: Contestant) -> None:
    """The last part alone, on what is kept."""
    kept = _kept(cut)
    with torch.inference_mode():
        for batch, alive in kept.batches:
            kept.outputs(batch, alive)


def _kept(cut: Contestant) -> Any:
    kept = cut.evaluator.kept(Lineage(), [(Entry(1.0, _mutation(100, 0)),)], "select", 0)
    assert kept is not None, cut.evaluator.counters.note
    return kept


def _row(name: str, dtype: str, images: int, number: int, cut: Contestant, taken: dict[str, Any]) -> dict[str, Any]:
    def ratios(one: str, other: str) -> list[float]:
        return [b[0] / a[0] for a, b in zip(taken[one], taken[other], strict=True)]

    to_forward, to_rest = ratios(f"evoray {number}", "forward"), ratios(f"evoray {number}", f"rest {number}")
    return {
        "model": name,
        "dtype": dtype,
        "images": images,
        "behind": round(cut.behind, 4),
        "cut": cut.cut,
        "kept_kib_per_image": round(cut.kept_kib_per_image, 1),
        "expected": round(1 / max(_kept(cut).part.share, 1e-9), 2) if cut.cut else 1.0,
        "rest_to_forward": round(float(np.median(ratios(f"rest {number}", "forward"))), 3),
        "ratio_to_forward": round(float(np.median(to_forward)), 3),
        "spread": [round(min(to_forward), 3), round(max(to_forward), 3)],
        "ratio_to_rest": round(float(np.median(to_rest)), 3),
    }


def layered(name: str, dtype: str, repeats: int, threads: int, blocks: int = 10) -> dict[str, Any]:
    """One child of each of ten equal blocks over all weights, what is kept made once: against ten forward passes."""
    images = 48
    program, network = _program(name, images, dtype, 224, threads, "channels-last", False, False)
    with like_a_worker(program), freed_memory_kept():
        whole = Evaluator(copy.deepcopy(network), program)
        space = program.space.with_depth(_depth(whole))
        own = Evaluator(copy.deepcopy(network), dataclasses.replace(program, space=space))
        children = [
            Layered(blocks=blocks, block=block, parts=1, part=0, mask_seed=1, noise_seed=2 + block, sigma=0.01)
            for block in range(blocks)
        ]
        units = [ChildrenUnit(Lineage(), (Candidate("c", (Entry(1.0, one),)),), "select", 0) for one in children]
        loops = {
            "forward": lambda _: take(lambda: [_forward(whole) for _ in units]),
            "layered": lambda _: take(lambda: [unit.run(own) for unit in units]),
        }
        taken = _alternate(loops, repeats)
    found = [b[0] / a[0] for a, b in zip(taken["layered"], taken["forward"], strict=True)]
    return {
        "model": name,
        "dtype": dtype,
        "blocks": blocks,
        "ratio_to_forward": round(float(np.median(found)), 3),
        "spread": [round(min(found), 3), round(max(found), 3)],
    }


def _depth(whole: Evaluator) -> list[int]:
    keeper = Keeper(whole.host, whole.task, whole.network, lambda network: network)
    used = keeper.order(next(iter(whole.prepared("select", 0).batches)))
    return [*used, *(number for number in range(len(whole.host.space.tensors)) if number not in set(used))]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", type=Path)
    parser.add_argument("--models", nargs="*", default=[*IMAGES])
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    known = json.loads(options.results.read_text()) if options.results.exists() else {"rows": [], "layered": []}
    known["about"] = {
        "commit": subprocess.run(
            ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True
        ).stdout.strip(),
        "device": f"CPU {torch.backends.cpu.get_cpu_capability()}, {options.threads} threads, {platform.machine()}",
        "command": "python tests/benchmarks/kept.py",
    }
    for name in options.models:
        started = time.perf_counter()
        known["rows"] = [one for one in known["rows"] if (one["model"], one["dtype"]) != (name, options.dtype)]
        known["rows"] += measured(name, options.dtype, options.repeats, options.threads)
        if name == "resnet18":
            known["layered"] = [layered(name, options.dtype, options.repeats, options.threads)]
        options.results.write_text(json.dumps(known, indent=1) + "\n")
        for row in known["rows"]:
            if row["model"] == name:
                print(row, flush=True)
        print(name, round(time.perf_counter() - started), "s", flush=True)


if __name__ == "__main__":
    main()
