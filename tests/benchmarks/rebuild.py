"""What a child costs before its first image: time and memory against density, for 25 and 300 million weights.

    uv run python tests/benchmarks/rebuild.py [--weights 25000000] [--repeats 5] [--out tests/benchmarks/results]

Writes ``rebuild-<weights>.json``, and ``rebuild.png`` and ``rebuild.md`` from all such files that lie there.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path

import torch
from torch import nn

from evoray.evaluation.host import ModelHost
from evoray.mutation import Entry, Mutation, Space
from evoray.runtime.malloc import keep_freed_memory
from evoray.runtime.seeds import derive_seed

PARTS = (10_000, 3000, 1000, 300, 100, 50, 40, 10, 3, 1)


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--weights", type=int, default=25_000_000)
    options.add_argument("--repeats", type=int, default=5)
    options.add_argument("--threads", type=int, default=1)
    options.add_argument("--out", type=Path, default=Path("tests/benchmarks/results"))
    given = options.parse_args()
    torch.set_num_threads(given.threads)  # for what the device is called; the processes set their own
    tasks = [(given.weights, dtype, given.repeats, given.threads) for dtype in (torch.float32, torch.bfloat16)]
    # a process each: what one type has freed would hide what the other takes
    with multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=1) as pool:
        rows = pool.starmap(measure, tasks, chunksize=1)
    result = {
        "weights": given.weights,
        "commit": subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True).stdout.strip(),
        "command": " ".join(["python", *sys.argv]),
        "device": f"CPU {torch.backends.cpu.get_cpu_capability()} {platform.machine()}, {given.threads} thread",
        "torch": torch.__version__,
        "types": rows,
    }
    (given.out / f"rebuild-{given.weights}.json").write_text(json.dumps(result, indent=1) + "\n")
    report(given.out)


def measure(weights: int, dtype: torch.dtype, repeats: int, threads: int) -> dict:
    """Times of every density, and how much memory children add to the base and the buffer, as in a worker."""
    torch.set_num_threads(threads)
    host = make_host(weights, dtype)
    keep_freed_memory()
    own = host.space.n * (4 + dtype.itemsize)
    densities = []
    reset_peak()
    before = resident("VmRSS")
    for parts in PARTS:
        times = [one_child(host, parts, number) for number in range(repeats + 1)][1:]
        densities.append(
            {
                "parts": parts,
                "mutated": -(-host.space.n // parts),
                "seconds": statistics.median(times),
                "spread": [min(times), max(times)],
                "extra_memory_share": max(0, resident("VmHWM") - before) / own,
            }
        )
    return {"dtype": str(dtype).removeprefix("torch."), "bytes": own, "densities": densities}


def make_host(weights: int, dtype: torch.dtype) -> ModelHost:
    """A chain of layers like those of a large vision transformer, as many as make up ``weights``."""
    width = 1024
    model = nn.Sequential(*(nn.Linear(width, width) for _ in range(max(1, round(weights / (width * width + width))))))
    state = model.state_dict()
    space = Space.from_state(state, list(state), "rms")
    return ModelHost(model, space, "cpu", dtype)


def one_child(host: ModelHost, parts: int, number: int) -> float:
    """Seconds of CPU time to draw, write and undo it: what the clock shows on idle cores, for one thread."""
    mutation = Mutation(
        mask_seed=derive_seed(0, number), parts=parts, part=0, noise_seed=derive_seed(1, number), sigma=0.1
    )
    started = time.process_time()
    with host.child([Entry(1.0, mutation)]):
        pass
    return time.process_time() - started


def resident(key: str) -> int:
    """Bytes of this process: VmRSS now, VmHWM at the highest since ``reset_peak``."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith(key))


def reset_peak() -> None:
    Path("/proc/self/clear_refs").write_text("5")


def report(directory: Path) -> None:
    """The figure and the table, from every result that lies in the directory."""
    results = sorted(
        (json.loads(path.read_text()) for path in directory.glob("rebuild-*.json")), key=lambda one: one["weights"]
    )
    lines = ["# Drawing, writing and undoing one child", ""]
    for result in results:
        lines += [f"{result['weights'] / 1e6:g} million weights, {result['device']}, torch {result['torch']},"]
        note = f" ({result['commit_note']})" if "commit_note" in result else ""
        lines += [f"commit {result['commit'][:12]}{note}: `{result['command']}`", ""]
        lines += ["| type | density | mutated | ms | spread | ns a weight | memory added |", "|-|-|-|-|-|-|-|"]
        for kind in result["types"]:
            for one in kind["densities"]:
                low, high = one["spread"]
                low, middle, high = (f"{1e3 * value:.2f}" for value in (low, one["seconds"], high))
                each, memory = 1e9 * one["seconds"] / one["mutated"], 100 * one["extra_memory_share"]
                cells = (kind["dtype"], f"{100 / one['parts']:.3g}%", f"{one['mutated']:,}", middle, f"{low} – {high}")
                lines.append("| " + " | ".join((*cells, f"{each:.1f}", f"{memory:.1f}%")) + " |")
        lines.append("")
    lines += ["Times are CPU time of one thread, medians and spread. Memory added: the process's peak so far, from the"]
    lines += [
        "sparsest child on, above what it held with base and buffer alone, as a share of those two.",
        "",
        "![time against density](rebuild.png)",
    ]
    (directory / "rebuild.md").write_text("\n".join(lines) + "\n")
    draw(results, directory / "rebuild.png")


def draw(results: list[dict], path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(6, 4), layout="constrained")
    for result in results:
        for kind in result["types"]:
            points = kind["densities"]
            axes.loglog(
                [100 / one["parts"] for one in points],
                [1e3 * one["seconds"] for one in points],
                marker="o",
                label=f"{result['weights'] / 1e6:g}M, {kind['dtype']}",
            )
    axes.set(xlabel="mutated weights, %", ylabel="draw + write + undo, ms of CPU time")
    axes.grid(alpha=0.3, which="both")
    axes.legend()
    figure.savefig(path, dpi=120)


if __name__ == "__main__":
    main()
