"""What racing saves and what it costs: the same 256 children judged whole and raced, on the demo's parents.

Run as ``python tests/benchmarks/racing.py SEED …``; adds a line a seed to results/racing.json.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from evoray.config import parse_config
from evoray.demo import demo_config, train_parent
from evoray.search import evolve

RESULTS = Path(__file__).parent / "results" / "racing.json"
BEST = 8


def compare(seed: int, children: int = 256) -> dict[str, Any]:
    """One seed: share of images spent, how many of the true best eight were kept, and both final answers on test."""
    with tempfile.TemporaryDirectory() as folder:
        weights = Path(folder) / "parent.safetensors"
        train_parent(seed, weights)
        results = {}
        for racing in (False, True):
            values = demo_config(seed, weights, "local").model_dump()
            values["search"] |= {"children": children, "generations": 1, "racing": racing}
            values["compute"] |= {"workers": 1}
            results[racing] = evolve(parse_config(values), Path(folder) / f"run-{racing}")
    true = set(results[False].population.sort_by("rank")["child_id"].to_pylist()[:BEST])
    ended = {row["child_id"] for row in results[True].population.to_pylist() if row["status"] == "ok"}
    race = results[True].summary["racing"]
    answers = {
        name: [results[racing].summary[name]["nll"] for racing in (False, True)] for name in ("soup", "ensemble")
    }
    return {
        "seed": seed,
        "children": children,
        "select": race["images_without"] // children,
        "confidence": race["confidence"],
        "kept_of_best_8": len(true & ended),
        "share_of_images": race["images"] / race["images_without"],
        "expected_lost": race["expected_lost"]["lost_by_confidence"],
        "test_nll_whole_and_raced": answers,
        "worse_by": {name: raced / whole - 1 for name, (whole, raced) in answers.items()},
    }


def main() -> None:
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True).stdout.strip()
    about = {
        "commit": commit,
        "command": "python tests/benchmarks/racing.py " + " ".join(sys.argv[1:]),
        "device": f"{platform.machine()}, {os.cpu_count()} cores, one worker thread",
    }
    RESULTS.parent.mkdir(exist_ok=True)
    lines: list[dict[str, Any]] = []
    for seed in map(int, sys.argv[1:]):
        lines.append(compare(seed))
        print(json.dumps(lines[-1]), flush=True)
        RESULTS.write_text(json.dumps({**about, "results": lines}, indent=1) + "\n")


if __name__ == "__main__":
    main()
