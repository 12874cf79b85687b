"""What a child costs before its first image: time and memory against density, for 25 and 300 million weights.

    uv run python tests/benchmarks/rebuild.py [--weights 25000000] [--repeats 5] [--out tests/benchmarks/results]

Drawn by NumPy, by torch's operations and, on a GPU (``--device cuda``), by the Triton kernel: one after the other in
every round, so that they can be compared by their ratio. Writes ``rebuild-<weights>.json`` (``-cuda`` where it ran
there), and ``rebuild.png`` and ``rebuild.md`` from all such files that lie there.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import platform
import subprocess
import sys
import time
from pathlib import Path

import torch
from torch import nn

from evoray.evaluation.host import ModelHost
from evoray.mutation import Entry, Mutation, Space
from evoray.mutation.device.choose import make_writer
from evoray.runtime.malloc import keep_freed_memory
from evoray.runtime.seeds import derive_seed

PARTS = (10_000, 3000, 1000, 300, 100, 50, 40, 10, 3, 1)
WAYS = {"cpu": ("numpy", "torch"), "cuda": ("numpy", "torch", "triton")}
PREDICTION = """## Counted

The count for the CPU was made before a first trial and written down after it; what is expected of a GPU has nothing
measured behind it.

For one weight, NumPy draws three quarters of a 64-bit output (32 bits of mask, 16 of noise), about 2 ns; the
passes over index, offset, table, scale and place are another 5 to 8 ns; the rest of a sparse child's 30 ns are cache
lines, of the base and the buffer, to write and to undo. Torch has no such generator: a counter block is 10 rounds of
42 operations on int64, 420 passes over memory for 8 words of mask or 16 of noise. That is 79 element operations a
sparse weight and 26 a dense one, 24 bytes read and written in each: 0.5 to 1 ns out of the cache. Expected: by torch a
sparse child takes 2 to 4 times as long as by NumPy on the CPU, a dense one, which NumPy streams in 4 ns a weight, about
10 times. So NumPy goes on to draw on the CPU.

The kernel makes no such passes: a thread holds the 16 noise words of its counter block, and about 140 instructions and
12 bytes of memory a dense weight remain. An H200 (132 x 128 lanes at 1.75 GHz, 4.8 TB/s) would take 0.12 and 0.06 ms
for 25 million of them: expected 0.2 to 0.3 ms, and 2 to 3 ms for 300 million, each for the write and again, without
noise, for the undo; below 1% a launch and its arguments, about 0.1 ms.
"""


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--weights", type=int, default=25_000_000)
    options.add_argument("--repeats", type=int, default=5)
    options.add_argument("--threads", type=int, default=1)
    options.add_argument("--device", choices=WAYS, default="cpu")
    options.add_argument("--out", type=Path, default=Path("tests/benchmarks/results"))
    given = options.parse_args()
    torch.set_num_threads(given.threads)  # for what the device is called; the processes set their own
    tasks = [
        (given.weights, dtype, given.device, given.repeats, given.threads) for dtype in (torch.float32, torch.bfloat16)
    ]
    # a process each: what one type has freed would hide what the other takes
    with multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=1) as pool:
        rows = pool.starmap(measure, tasks, chunksize=1)
    result = {
        "weights": given.weights,
        "commit": subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True).stdout.strip(),
        "command": " ".join(["python", *sys.argv]),
        "device": device_name(given.device, given.threads),
        "torch": torch.__version__,
        "types": rows,
    }
    place = "-cuda" if given.device == "cuda" else ""
    (given.out / f"rebuild-{given.weights}{place}.json").write_text(json.dumps(result, indent=1) + "\n")
    report(given.out)


def device_name(device: str, threads: int) -> str:
    if device == "cuda":
        return torch.cuda.get_device_name()
    return f"CPU {torch.backends.cpu.get_cpu_capability()} {platform.machine()}, {threads} thread"


def measure(weights: int, dtype: torch.dtype, device: str, repeats: int, threads: int) -> dict:
    """Times of every density, and how much memory children add to the base and the buffer, as in a worker.

    On a CPU the ways are compared in float32 alone: a type's own cost is that of its writes.
    """
    torch.set_num_threads(threads)
    host = make_host(weights, dtype, device)
    keep_freed_memory()
    own = host.space.n * (4 + dtype.itemsize)
    added = [one / own for one in memory_added(host)] if device == "cpu" else [None] * len(PARTS)
    every = WAYS[device] if dtype == torch.float32 or device == "cuda" else WAYS[device][:1]
    writers = {by: make_writer(by, host.space, host._base, host.buffer, host._layout.addresses) for by in every}
    densities = []
    for parts, memory in zip(PARTS, added, strict=True):
        times = {by: [] for by in every}
        for number in range(repeats + 1):
            for by, writer in writers.items():
                host._writer = writer
                times[by].append(one_child(host, parts, number))
        densities.append(
            {
                "parts": parts,
                "mutated": -(-host.space.n // parts),
                "seconds": {by: min(seconds[1:]) for by, seconds in times.items()},
                "spread": {by: [min(seconds[1:]), max(seconds[1:])] for by, seconds in times.items()},
                "extra_memory_share": memory,
            }
        )
    return {"dtype": str(dtype).removeprefix("torch."), "bytes": own, "densities": densities}


def memory_added(host: ModelHost) -> list[int]:
    """Bytes that the process holds more at its highest, up to each density: what a child frees is kept for the next."""
    reset_peak()
    before, added = resident("VmRSS"), []
    for parts in PARTS:
        one_child(host, parts, 0)
        added.append(max(0, resident("VmHWM") - before))
    return added


def make_host(weights: int, dtype: torch.dtype, device: str) -> ModelHost:
    """A chain of layers like those of a large vision transformer, as many as make up ``weights``."""
    width = 1024
    model = nn.Sequential(*(nn.Linear(width, width) for _ in range(max(1, round(weights / (width * width + width))))))
    state = model.state_dict()
    space = Space.from_state(state, list(state), "rms")
    return ModelHost(model, space, device, dtype)


def one_child(host: ModelHost, parts: int, number: int) -> float:
    """Seconds to draw, write and undo it: of CPU time, which is what the clock shows on idle cores, for one thread; on
    a GPU by the clock, until all is done there."""
    mutation = Mutation(
        mask_seed=derive_seed(0, number), parts=parts, part=0, noise_seed=derive_seed(1, number), sigma=0.1
    )
    clock = time.perf_counter if host.device.type == "cuda" else time.process_time
    started = clock()
    with host.child([Entry(1.0, mutation)]):
        pass
    if host.device.type == "cuda":
        torch.cuda.synchronize()
    return clock() - started


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
    lines = ["# Drawing, writing and undoing one child", "", PREDICTION, "## Measured", ""]
    for result in results:
        lines += [f"{result['weights'] / 1e6:g} million weights, {result['device']}, torch {result['torch']},"]
        note = f" ({result['commit_note']})" if "commit_note" in result else ""
        lines += [f"commit {result['commit'][:12]}{note}: `{result['command']}`", ""]
        lines += ["| type | density | mutated | drawn by | ms | spread | of NumPy's | ns a weight | memory added |"]
        lines += ["|-|-|-|-|-|-|-|-|-|"]
        for kind in result["types"]:
            lines += [row for one in kind["densities"] for row in table_rows(kind["dtype"], one)]
        lines.append("")
    lines += [
        "Times are the shortest of the rounds and the spread, on a CPU of one thread's CPU time. Memory added: the"
    ]
    lines += [
        "process's peak so far, from the sparsest child on, above what it held with base and buffer alone, as a share",
        "of those two, NumPy drawing.",
        "",
        "![time against density](rebuild.png)",
    ]
    (directory / "rebuild.md").write_text("\n".join(lines) + "\n")
    draw(results, directory / "rebuild.png")


def table_rows(dtype: str, one: dict) -> list[str]:
    """A row for each way to draw a child of one density."""
    rows = []
    for by, seconds in one["seconds"].items():
        middle, low, high = (f"{1e3 * value:.2f}" for value in (seconds, *one["spread"][by]))
        times, each = f"{seconds / one['seconds']['numpy']:.2f}", f"{1e9 * seconds / one['mutated']:.1f}"
        known = by == "numpy" and one["extra_memory_share"] is not None
        memory = f"{100 * one['extra_memory_share']:.1f}%" if known else ""
        density = f"{100 / one['parts']:.3g}%"
        cells = (dtype, density, f"{one['mutated']:,}", by, middle, f"{low} – {high}", times, each, memory)
        rows.append("| " + " | ".join(cells) + " |")
    return rows


def draw(results: list[dict], path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(6, 4), layout="constrained")
    for result in results:
        for kind in result["types"]:
            points = kind["densities"]
            for by in points[0]["seconds"]:
                axes.loglog(
                    [100 / one["parts"] for one in points],
                    [1e3 * one["seconds"][by] for one in points],
                    marker="o",
                    linestyle="-" if by == "numpy" else "--",
                    label=f"{result['weights'] / 1e6:g}M, {kind['dtype']}, {by}",
                )
    axes.set(xlabel="mutated weights, %", ylabel="draw + write + undo, ms")
    axes.grid(alpha=0.3, which="both")
    axes.legend()
    figure.savefig(path, dpi=120)


if __name__ == "__main__":
    main()
