"""What must be true of an ingest at full size, tried out with the command itself: ``ingest.py --check``."""

from __future__ import annotations

import hashlib
import importlib
import io
import os
import random
import shutil
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from evoray.data import ArrowDataset, Manifest

WAYS = {
    "1 worker": ("--workers", 1),
    "2 workers": ("--workers", 2),
    "4 workers": ("--workers", 4),
    "Ray, 2 workers": ("--workers", 2, "--backend", "ray"),
}
KILLS = 6
FLIPS = 3
SAMPLE = 500
"""Plain images that are held against the reference; of every other kind all are."""


def evoray(*arguments: object, code: int = 0) -> str:
    """Standard output of a command that ends as it should."""
    program = Path(sys.executable).with_name("evoray")
    ended = subprocess.run([program, *map(str, arguments)], capture_output=True, text=True)
    if ended.returncode != code:
        raise SystemExit(f"evoray {arguments} ended with {ended.returncode} and not {code}:\n{ended.stderr}")
    return ended.stdout + ended.stderr


def check(folder: Path, kinds: dict[str, str]) -> dict[str, object]:
    """Does all of it, and says what was done; raises where something does not hold."""
    made = folder.with_name("checks")
    shutil.rmtree(made, ignore_errors=True)
    made.mkdir()
    ways = same_by_every_way(folder, made)
    whole = made / "1-worker"
    found: dict[str, object] = {"files": len(digests(whole)), "ways": ways}
    found["unreadable"] = unreadable_are_the_cut(whole, kinds)
    found["kills"] = killed_and_run_again(folder, made / "killed", digests(whole), ways["2 workers"]["seconds"])
    found["flips"] = flipped_bytes_are_found(whole)
    evoray("data", "ingest", folder, made / "torchvision", "--decoder", "torchvision", "--workers", 2)
    found["reference"] = as_the_reference(folder, whole, kinds)
    found["torchvision"] = apart(whole, made / "torchvision")
    shutil.rmtree(made)
    return found


def require(true: bool, what: str) -> None:
    if not true:
        raise SystemExit(f"does not hold: {what}")


def digests(directory: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(directory.iterdir())}


def same_by_every_way(folder: Path, made: Path) -> dict[str, dict]:
    """The manifest's digest and every byte, whoever wrote it."""
    found = {}
    for way, options in WAYS.items():
        dest = made / way.replace(", ", "-").replace(" ", "-")
        started = time.perf_counter()
        evoray("data", "ingest", folder, dest, *options)
        found[way] = {"digest": Manifest.read(dest).digest, "seconds": round(time.perf_counter() - started, 1)}
        require(digests(dest) == digests(made / "1-worker"), f"{way} gives the bytes of one worker")
        if way != "1 worker":
            shutil.rmtree(dest)
    return found


def unreadable_are_the_cut(whole: Path, kinds: dict[str, str]) -> int:
    listed = {one.source for one in Manifest.read(whole).unreadable}
    require(listed == {name for name, kind in kinds.items() if kind == "cut"}, "the cut files are listed, and no other")
    return len(listed)


def killed_and_run_again(folder: Path, dest: Path, expected: dict[str, str], takes: float) -> list[dict[str, object]]:
    """SIGKILL to the command at random moments, each time going on with what the last left."""
    moments, tries = random.Random(0), []
    for _ in range(KILLS):
        after = moments.uniform(0.3, 0.6 * takes)
        kill_after(after, "data", "ingest", folder, dest, "--workers", 2)
        done = len(list((dest.with_name(f".{dest.name}.part") / "done").glob("*.json")))
        tries.append({"after_s": round(after, 2), "shards_done": done})
        if dest.exists():
            break
    require(len(tries) >= KILLS // 2, "it was killed several times")
    if not dest.exists():
        evoray("data", "ingest", folder, dest, "--workers", 2)
    require(digests(dest) == expected, "the bytes of an ingest that was never killed")
    shutil.rmtree(dest)
    return tries


def kill_after(seconds: float, *arguments: object) -> None:
    """SIGKILL to the command's own process; those that it started end by themselves."""
    program = Path(sys.executable).with_name("evoray")
    silent = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "start_new_session": True}
    process = subprocess.Popen([program, *map(str, arguments)], **silent)
    time.sleep(seconds)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    until = time.monotonic() + 20
    while alive(process.pid) and time.monotonic() < until:
        time.sleep(0.05)
    require(not alive(process.pid), "workers end with their parent")


def alive(session: int) -> list[str]:
    return subprocess.run(["pgrep", "-s", str(session)], capture_output=True, text=True).stdout.split()


def flipped_bytes_are_found(whole: Path) -> dict[str, int]:
    """A bit of a random byte of every file, and of its last byte."""
    places, tried = random.Random(0), 0
    for path in sorted(whole.iterdir()):
        size = path.stat().st_size
        for place in (size - 1, *(places.randrange(size) for _ in range(FLIPS - 1))):
            bit = 1 << places.randrange(8)
            flip(path, place, bit)
            said = evoray("data", "verify", whole, code=2)
            require(path.name in said, f"byte {place} of {path.name} is found")
            flip(path, place, bit)
            tried += 1
    evoray("data", "verify", whole)
    return {"files": len(list(whole.iterdir())), "flips": tried, "found": tried}


def flip(path: Path, place: int, bit: int) -> None:
    with open(path, "r+b") as file:
        file.seek(place)
        value = file.read(1)[0]
        file.seek(place)
        file.write(bytes([value ^ bit]))


def stored(directory: Path) -> Iterator[tuple[str, np.ndarray]]:
    dataset = ArrowDataset(directory)
    for index in range(len(dataset.shard_rows)):
        shard = dataset.load(index)
        yield from zip(shard.sources, shard.images, strict=True)


def as_the_reference(folder: Path, whole: Path, kinds: dict[str, str]) -> dict[str, int]:
    """torchvision's own transform on what ImageFolder's loader gives, bit for bit."""
    functional = importlib.import_module("torchvision.transforms.functional")
    compared: dict[str, int] = {}
    for name, pixels in stored(whole):
        kind = kinds[name]
        if kind == "plain" and compared.get("plain", 0) >= SAMPLE:
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            picture = Image.open(io.BytesIO((folder / name).read_bytes())).convert("RGB")
        cut = functional.center_crop(functional.resize(picture, [256], antialias=True), [224, 224])
        require(np.array_equal(pixels, functional.pil_to_tensor(cut).numpy()), f"{name} ({kind}) is the reference's")
        compared[kind] = compared.get(kind, 0) + 1
    return compared


def apart(whole: Path, other: Path) -> dict[str, object]:
    """How far torchvision's bytes are from Pillow's, over all images."""
    images, counts = 0, np.zeros(256, np.int64)
    for (name, one), (same, two) in zip(stored(whole), stored(other), strict=True):
        require(name == same, "both decoders give the same images in the same order")
        counts += np.bincount(np.abs(one.astype(np.int16) - two).ravel(), minlength=256)
        images += 1
    most = int(np.flatnonzero(counts)[-1])
    require(
        most <= 2 and counts[2] < 1e-6 * counts.sum(), f"torchvision is off by 1 of 255, hardly ever by 2, not {most}"
    )
    return {"images": images, "bytes_by_difference": counts[: most + 1].tolist()}
