"""``evoray data ingest`` of 5,000 JPEGs like ImageNet's, over what its cores decode when they do nothing else.

    uv run python tests/benchmarks/ingest.py [--images 5000] [--repeats 5] [--out tests/benchmarks/results]
    uv run python tests/benchmarks/ingest.py --check

Bare is the same files opened, decoded, resized and cut, and nothing else: by Pillow as the reference transform does
it, by torchvision's decoder with its antialiased resize. It is measured on one core, and on all of them at once. The
command is what a user types, from start to exit; so the start of its processes is in it. What does not grow with
the images is measured on four of them, and given apart: 5,000 images are a tenth of a validation set. Repeats take
the measurements in turn, so that what disturbs the machine disturbs all of them.

A virtual machine may give freed memory back to its host (free page reporting), and then pays for each page that it
takes anew: here 7 us, 0.26 ms for an image in the page cache, where 0.03 ms is usual. The decoding alone takes no new
memory. So the command is measured twice: in new memory, and (all other figures) after as much was taken and freed.

Reckoning from parts measured alone, once runs in new memory had given 0.72 to 0.74. Pillow needs 2.2 ms an image.
Bare and ingest pay alike for two cores at once (5%). Above that lie, for each image of 3 x 224 x 224 bytes (150 kB):

- channels last to channels first, into the batch: 0.07 ms
- written to the page cache by Arrow: 0.03 ms, and hashed on the way: 0.07 ms
- less: Pillow's copy of what is RGB already, 0.05 ms, and columns resized to be cut off, 0.08 ms

so 0.04 ms. Once in a run: the command's start (0.15 s), then the import that all workers share (0.4 s), forks, and
the end: 0.7 s (1.0 s before). 5,000 images take 5.5 s of the floor; with 5%, 0.04 ms and 0.7 s they take 6.6 s:
**0.83**, and 0.93 without the start. torchvision's import alone takes 6 s, twice its floor of 3.3 s: **0.32**.

``--check`` does at the same size what a benchmark takes on trust: killed at random moments and run again gives the
same bytes; so do 1, 2 and 4 workers, and Ray; a flipped byte in any file is found; what is stored is what the
reference transform gives, bit for bit with Pillow; and how far torchvision's bytes are from Pillow's.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import mmap
import os
import platform
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from importlib.metadata import version
from multiprocessing import get_context
from pathlib import Path

import ingest_checks
from imagenet_like import describe, write_images
from PIL import Image

RESIZE, CROP = 256, 224
TOUCHED = 400_000
"""Bytes an image: 150,528 of it in the page cache, and more for the processes."""
PR_SET_CHILD_SUBREAPER = 36
"""Of prctl(2)."""
FEW = 4
"""Images of a command that has next to nothing to decode: its time is what every command needs."""


def bare_pil(path: str) -> None:
    image = Image.open(path).convert("RGB")
    width, height = image.size
    short = min(width, height)
    image = image.resize((int(RESIZE * width / short), int(RESIZE * height / short)), Image.Resampling.BILINEAR)
    left, top = round((image.width - CROP) / 2), round((image.height - CROP) / 2)
    image.crop((left, top, left + CROP, top + CROP))


def bare_torchvision(path: str) -> None:
    from torchvision.io import ImageReadMode, decode_image, read_file
    from torchvision.transforms.v2 import functional

    pixels = decode_image(read_file(path), mode=ImageReadMode.RGB)
    functional.center_crop(functional.resize(pixels, [RESIZE], antialias=True), [CROP, CROP])


BARE: dict[str, Callable[[str], None]] = {"pil": bare_pil, "torchvision": bare_torchvision}


def bare_rate(decoder: str, paths: Sequence[str]) -> tuple[float, float]:
    """Files a second of one thread, by the clock and by its processor time; unreadable ones count as any."""
    import torch

    torch.set_num_threads(1)
    decode = BARE[decoder]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        decode(paths[0])
        clock, used = time.perf_counter(), time.process_time()
        for path in paths:
            try:
                decode(path)
            except (OSError, RuntimeError, ValueError):
                continue
        return len(paths) / (time.perf_counter() - clock), len(paths) / (time.process_time() - used)


def at_once(pool: ProcessPoolExecutor, decoder: str, parts: Sequence[Sequence[str]]) -> float:
    """Files a second of all cores, each with a part of its own."""
    return sum(future.result()[0] for future in [pool.submit(bare_rate, decoder, part) for part in parts])


def command(folder: Path, dest: Path, decoder: str, cores: int, *more: object) -> tuple[float, float]:
    """Seconds of ``evoray data ingest``, and processor time of all its processes; what it wrote is removed."""
    started, used = time.perf_counter(), own_seconds()
    ingest_checks.evoray("data", "ingest", folder, dest, "--decoder", decoder, "--workers", cores, *more)
    took = time.perf_counter() - started
    take_orphans()
    shutil.rmtree(dest)
    return took, own_seconds() - used


def adopt_orphans() -> None:
    """The command does not wait for the process that forks its workers; their processor time comes with it."""
    if ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0):
        raise SystemExit("the workers' processor time cannot be had on this system")


def take_orphans() -> None:
    """They end on their own as the command ends."""
    until, taken = time.monotonic() + 2.0, 0
    while time.monotonic() < until and taken < 2:  # that which forks, and multiprocessing's tracker of resources
        taken += os.waitpid(-1, os.WNOHANG)[0] > 0
        time.sleep(0.01)


def few_of(folder: Path, names: Sequence[str]) -> Path:
    """A folder of a few of the images, one shard each worker at the least."""
    few = folder.with_name(f"{folder.name}-few")
    few.mkdir(exist_ok=True)
    labels = (folder / "synsets.txt").read_text().split()
    (few / "synsets.txt").write_text("\n".join(labels[: len(names)]))
    for name in names:
        if not (few / name).exists():
            os.link(folder / name, few / name)
    return few


def touch_memory(images: int) -> None:
    """Takes the memory that a command will take, and frees it: see above what a virtual machine does else."""
    with mmap.mmap(-1, images * TOUCHED) as memory:
        for page in range(0, len(memory), mmap.PAGESIZE):
            memory[page] = 1


def measure(folder: Path, kinds: dict[str, str], repeats: int, cores: int, decoders: Sequence[str]) -> list[dict]:
    """One row a repeat and decoder."""
    paths = [str(folder / name) for name in kinds]
    parts = [paths[number::cores] for number in range(cores)]
    few = few_of(folder, [name for name, kind in kinds.items() if kind == "plain"][:FEW])
    rows = []
    adopt_orphans()
    with ProcessPoolExecutor(cores, get_context("spawn")) as pool:
        for decoder in decoders:  # imports and first calls are nobody's
            at_once(pool, decoder, [part[:20] for part in parts])
        for repeat in range(repeats):
            for decoder in decoders:
                dest = folder.with_name("shards")
                row: dict = {"repeat": repeat, "decoder": decoder}
                row["bare_per_core"], row["bare_per_cpu_s"] = bare_rate(decoder, parts[0])
                row["command_in_new_memory_s"], _ = command(folder, dest, decoder, cores)
                touch_memory(len(paths))
                row["command_s"], row["command_cpu_s"] = command(folder, dest, decoder, cores)
                row["bare_at_once"] = at_once(pool, decoder, parts)
                row["command_of_few_s"], row["command_of_few_cpu_s"] = command(
                    few, dest, decoder, cores, "--shard-size", FEW // cores
                )
                rows.append(row | ratios(row, len(paths), cores))
                print(json.dumps(rows[-1]), file=sys.stderr, flush=True)
    return rows


def ratios(row: dict, images: int, cores: int) -> dict[str, float]:
    """Of the whole command, of the command without what every command needs, and of the cores working at once.

    Those of processor time do not see other programs of a machine that is shared, nor a core that has nothing to do.
    """
    whole = images / row["command_s"]
    growing = (images - FEW) / (row["command_s"] - row["command_of_few_s"])
    floor = cores * row["bare_per_core"]
    return {
        "images_per_s": whole,
        "ratio": whole / floor,
        "ratio_without_start": growing / floor,
        "ratio_in_new_memory": images / row["command_in_new_memory_s"] / floor,
        "ratio_to_cores_at_once": whole / row["bare_at_once"],
        "cpu_ratio": images / row["command_cpu_s"] / row["bare_per_cpu_s"],
        "cpu_ratio_without_start": (images - FEW)
        / (row["command_cpu_s"] - row["command_of_few_cpu_s"])
        / row["bare_per_cpu_s"],
    }


def summary(rows: Sequence[dict]) -> dict[str, dict]:
    """Median, least and most of every figure, by decoder."""
    found: dict[str, dict] = {}
    for decoder in dict.fromkeys(row["decoder"] for row in rows):
        own = [row for row in rows if row["decoder"] == decoder]
        found[decoder] = {
            key: [round(of([row[key] for row in own]), 4) for of in (statistics.median, min, max)]
            for key in own[0]
            if key not in ("repeat", "decoder")
        }
    return found


def busy_seconds() -> float:
    """Of all processes of this machine since it started."""
    user, nice, system = map(int, Path("/proc/stat").read_text().split()[1:4])
    return (user + nice + system) / os.sysconf("SC_CLK_TCK")


def own_seconds() -> float:
    """Of this process and the children that have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def header(cores: int) -> dict:
    commit = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True).stdout.strip()
    changed = subprocess.run(["git", "status", "--porcelain", "evoray"], capture_output=True, text=True).stdout.split()
    model = next(line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name"))
    return {
        "commit": commit + (f", changed: {', '.join(changed[1::2])}" if changed else ""),
        "command": " ".join(["python", *sys.argv]),
        "device": f"CPU {model.partition(':')[2].strip()}, {cores} of {os.cpu_count()} cores, {platform.machine()}",
        "versions": {name: version(name) for name in ("pillow", "torch", "torchvision", "pyarrow", "numpy")},
    }


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--images", type=int, default=5000)
    options.add_argument("--repeats", type=int, default=5)
    options.add_argument("--cores", type=int, default=2)
    options.add_argument("--decoders", default="pil,torchvision")
    options.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "evoray-ingest")
    options.add_argument("--out", type=Path, default=Path("tests/benchmarks/results"))
    options.add_argument("--check", action="store_true")
    given = options.parse_args()
    folder = given.folder / f"val{given.images}"
    kinds = write_images(folder, given.images)
    result = header(given.cores) | {"images": describe(folder, kinds)}
    if given.check:
        result["checks"] = ingest_checks.check(folder, kinds)
        name = "ingest_check.json"
    else:
        clock, busy, own = time.perf_counter(), busy_seconds(), own_seconds()
        rows = measure(folder, kinds, given.repeats, given.cores, given.decoders.split(","))
        clock, others = time.perf_counter() - clock, busy_seconds() - busy - (own_seconds() - own)
        result |= {"others_cores": round(others / clock, 3), "summary": summary(rows), "rows": rows}
        name = "ingest.json"
    (given.out / name).write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
