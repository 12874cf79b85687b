"""A language model and two kinds of problems: what 64 children of SmolLM2 are worth, sparse and dense.

``python tests/benchmarks/language/run.py RESULTS --work DIR``. A case is a kind, a seed and a way; its result is
``RESULTS/KIND-SEED-WAY.json``, and ``RESULTS/language.md`` the table of all that there are. A case that is finished is
not repeated, one that was stopped goes on: the same command again. Problems of test chose nothing; each way takes the
sigma that a run of its own finds (``mutation.sigma = "auto"``).
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from itertools import product
from pathlib import Path
from typing import Any

from evoray import evolve, load_config
from evoray.commands.common import Bars
from evoray.config import RunConfig, parse_config
from evoray.demo.language import CONFIG, prepare
from evoray.demo.problems import KINDS
from evoray.report import text

SEEDS = (0, 1)
SELECT, TEST = 64, 128
CHILDREN, SAMPLE = 64, 24
"""Of a case; and how many of them, drawn by chance, are looked at on test: what a place on select is worth."""
WAYS: Mapping[str, Mapping[str, Any]] = {"sparse": {"parts": 10}, "dense": {"parts": 1}}
NETWORKS = ("best_child", "soup", "ensemble")
FIGURE = "reward"
HEAD = (
    "Kind",
    "Seed",
    "Way",
    "Sigma",
    "Parent",
    "Best child",
    "Soup",
    "Vote of 8",
    "Children better",
    "Select, test",
    "Time",
)


def cases() -> Iterator[tuple[str, int, str]]:
    """In this order: a stopped study has whole pairs of ways, and both kinds before a second seed."""
    return ((kind, seed, way) for seed, kind, way in product(SEEDS, KINDS, WAYS))


def name_of(kind: str, seed: int, way: str) -> str:
    return f"{kind}-{seed}-{way}"


def case_config(config: RunConfig, way: str) -> RunConfig:
    """The demo's run with a way's mutations and the study's sizes."""
    values = config.model_dump(mode="json", exclude_unset=True)  # what is left out stays the task's own
    own = {"mutation": WAYS[way], "search": {"children": CHILDREN}, "statistics": {"children_on_test": SAMPLE}}
    for section, keys in own.items():
        values[section] = values.get(section, {}) | keys
    return parse_config(values, f"the study's {way} case")


def run_case(kind: str, seed: int, way: str, work: Path, backend: str) -> dict[str, Any]:
    """Both ways of a kind and seed share their problems. Where a run has begun, it goes on."""
    data = work / f"{kind}-{seed}-data"
    started = time.perf_counter()
    with Bars("the same command goes on") as bars:
        if not (data / "test" / "manifest.json").exists():  # what is written last
            shutil.rmtree(data, ignore_errors=True)
            prepare(data, seed, backend, bars, kind=kind, select=SELECT, test=TEST)
        config = case_config(load_config(data / CONFIG), way)
        out = work / name_of(kind, seed, way)
        summary = evolve(config, out, config_dir=data, resume="auto", progress=bars).summary
    found = {"kind": kind, "seed": seed, "way": way, "seconds": time.perf_counter() - started}
    return found | reported(summary)


def reported(summary: Mapping[str, Any]) -> dict[str, Any]:
    """What the table is made of, as ``summary.json`` has it."""
    against = {one["name"]: one for one in summary["comparisons"] if one["metric"] == FIGURE}
    children = summary["children"]
    return {
        "splits": summary["splits"],
        "sigma": summary["mutation"]["sigma"],
        "density": summary["mutation"]["density"],
        "parent": {split: summary["parent"][split][FIGURE] for split in ("select", "test")},
        **{name: {"test": summary[name][FIGURE], **against.get(name, {})} for name in NETWORKS},
        "better_on_select": children["better_on_select"],
        "select_test": children["select_test"],
    }


def markdown(results: list[dict[str, Any]]) -> str:
    """The table: share of test problems that are right; gains on the parent with 95% intervals, in points."""
    lines = [f"| {' | '.join(HEAD)} |", f"|{'---|' * len(HEAD)}"]
    return "\n".join([*lines, *(f"| {' | '.join(_cells(one))} |" for one in results)]) + "\n"


def _cells(one: Mapping[str, Any]) -> list[str]:
    better, order = one["better_on_select"], one["select_test"]
    return [
        *(one["kind"], str(one["seed"]), one["way"], text.plain(one["sigma"]), text.percent(one["parent"]["test"])),
        *(gain(one[name]) for name in NETWORKS),
        f"{better['count']} of {better['n']}{_interval(better['ci95'], 100, 0, '%')}",
        f"{text.signed(order['spearman'], 2)}{_interval(order['ci95'], 1, 2)}",
        text.duration(one["seconds"]),
    ]


def gain(network: Mapping[str, Any]) -> str:
    """``41.41%, +2.3 [−1.2, +5.9]``; a network that is the parent itself has no comparison."""
    shown = text.percent(network["test"])
    if network.get("difference") is None:
        return shown
    return f"{shown}, {text.signed(100 * network['difference'], 1)}{_interval(network['ci95'], 100, 1)}"


def _interval(bounds: list[float | None], factor: float, decimals: int, unit: str = "") -> str:
    low, high = (None if one is None else factor * one for one in bounds)
    if low is None or high is None:
        return ""
    if unit:
        return f" [{low:.{decimals}f}{unit}, {high:.{decimals}f}{unit}]"
    return f" [{text.signed(low, decimals)}, {text.signed(high, decimals)}]"


def finished(results: Path) -> list[dict[str, Any]]:
    """Of every case that is, in order."""
    paths = [results / f"{name_of(*case)}.json" for case in cases()]
    return [json.loads(path.read_text(encoding="utf-8")) for path in paths if path.exists()]


def write(path: Path, content: str) -> None:
    """Whole, or not at all."""
    part = path.with_suffix(".part")
    part.write_text(content, encoding="utf-8")
    os.replace(part, path)


def about() -> dict[str, str]:
    """Where a result comes from."""
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True).stdout.strip()
    return {
        "commit": commit,
        "command": " ".join(["python", *sys.argv]),
        "device": f"{platform.machine()}, {os.cpu_count()} cores",
    }


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("results", type=Path)
    asked.add_argument("--work", type=Path, required=True, help="run directories and problems; kept")
    asked.add_argument("--backend", default="local", choices=("local", "ray"))
    asked.add_argument("--cases", nargs="*", help="such as sums-0-sparse; left out: all")
    options = asked.parse_args()
    options.results.mkdir(parents=True, exist_ok=True)
    options.work.mkdir(parents=True, exist_ok=True)
    for case in cases():
        path = options.results / f"{name_of(*case)}.json"
        if path.exists() or (options.cases and name_of(*case) not in options.cases):
            continue
        found = run_case(*case, options.work.resolve(), options.backend)
        write(path, json.dumps(found | about(), indent=1) + "\n")
        write(options.results / "language.md", markdown(finished(options.results)))
        print(markdown([found]), flush=True)


if __name__ == "__main__":
    main()
