"""What racing saves and what it costs: the same 256 children judged whole and raced, on the demo's parents.

Run as ``python tests/benchmarks/racing.py SEED …``; adds two lines a seed to results/racing.json.
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
from evoray.evolution import evolve
from evoray.results.write import RunResult

RESULTS = Path(__file__).parent / "results" / "racing.json"
BEST = 8
WAYS: dict[str, dict[str, Any]] = {"confidence": {}, "a third of the images": {"budget_images": 256 * 2100 // 3}}
"""By the default confidence alone, and with a budget beside it (the demo chooses on 2,100 images)."""


def compare(seed: int, children: int = 256) -> list[dict[str, Any]]:
    """One seed: share of images spent, how many of the true best eight were kept, and both final answers on test."""
    with tempfile.TemporaryDirectory() as folder:
        weights = Path(folder) / "parent.safetensors"
        train_parent(seed, weights)

        def run(**search: Any) -> RunResult:
            values = demo_config(seed, weights, "local").model_dump()
            values["search"] |= {"children": children, "generations": 1, **search}
            values["compute"] |= {"workers": 1}
            return evolve(parse_config(values), Path(folder) / "-".join(("run", *search)))

        whole = run()
        return [
            {"seed": seed, "way": way, "children": children, **_against(whole, run(racing=True, **search))}
            for way, search in WAYS.items()
        ]


def _against(whole: RunResult, raced: RunResult) -> dict[str, Any]:
    true = set(whole.population.sort_by("rank")["child_id"].to_pylist()[:BEST])
    ended = {row["child_id"] for row in raced.population.to_pylist() if row["status"] == "ok"}
    race = raced.summary["racing"]
    answers = {name: [one.summary[name]["nll"] for one in (whole, raced)] for name in ("soup", "ensemble")}
    return {
        "select": race["images_without"] // len(whole.population),
        "confidence": race["confidence"],
        "kept_of_best_8": len(true & ended),
        "share_of_images": race["images"] / race["images_without"],
        "expected_lost": race["expected_lost"],
        "test_nll_whole_and_raced": answers,
        "worse_by": {name: after / before - 1 for name, (before, after) in answers.items()},
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
        lines += compare(seed)
        for line in lines[-len(WAYS) :]:
            print(json.dumps(line), flush=True)
        RESULTS.write_text(json.dumps({**about, "results": lines}, indent=1) + "\n")


if __name__ == "__main__":
    main()
