"""What each strategy gains at about 400 evaluations: test NLL of its soup under the early-stopped parent's, in percent.

``python tests/benchmarks/gain/strategies.py FILE.json --parents DIR --work DIR``, parents by ``jobs/train_parents.py``.
Settings are ``arch/seed/strategy/children/generations``; a finished one is not repeated.
"""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from images import fashion_mnist

from evoray.config import parse_config
from evoray.evolution import evolve

SETTINGS = [
    f"cnn/{seed}/{search}"
    for search in ("decomposition/36/9", "mu-lambda/36/10", "evolution-strategy/36/10", "cma-es/36/10", "cma-es/12/26")
    for seed in (0, 1)
]


def gain(setting: str, options: argparse.Namespace) -> dict[str, Any]:
    arch, seed, strategy, children, generations = setting.split("/")
    select, test = fashion_mnist(options.work, int(seed))
    weights = options.parents.resolve() / f"{arch}-seed{seed}-early.safetensors"
    values = {
        "seed": int(seed),
        "parent": {"source": "module", "name": f"evoray.models.small:{arch}", "weights": str(weights)},
        "data": {"path": str(select), "test_path": str(test), "select": 1.0, "test": 1.0},
        "compute": {"backend": "local", "workers": 1, "batch_size": 500, "threads_per_worker": 1},
        "mutation": {"sigma": "auto"},
        "search": {"strategy": strategy, "children": int(children), "generations": int(generations), "elite": 8},
        "statistics": {"children_on_test": 0},
        "ensemble": {"size": 1},
    }
    begun = time.perf_counter()
    with tempfile.TemporaryDirectory() as work:
        result = evolve(parse_config(values), Path(work) / "run", page=False)
        rounds = [json.loads(line) for line in (Path(work) / "run/metrics.jsonl").read_text("utf-8").splitlines()]
    parent, soup = result.summary["parent"]["test"]["nll"], result.summary["soup"]["nll"]
    return {
        "setting": setting,
        "percent": 100 * (1 - soup / parent),
        "parent": parent,
        "soup": soup,
        "evaluations": sum(one["candidates"] for one in rounds),
        "best_on_select": [-one["best_fitness"] for one in rounds],
        "seconds": time.perf_counter() - begun,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", type=Path)
    parser.add_argument("--parents", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--settings", nargs="+", default=SETTINGS)
    options = parser.parse_args()
    torch.set_num_threads(1)
    found = json.loads(options.results.read_text("utf-8")) if options.results.exists() else {"runs": []}
    commit = subprocess.run(["git", "rev-parse", "--short=7", "HEAD"], capture_output=True, text=True, check=True)
    for setting in options.settings:
        if all(one["setting"] != setting for one in found["runs"]):
            found["runs"].append({"commit": commit.stdout.strip(), **gain(setting, options)})
            found["device"] = platform.machine()
            options.results.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
            print(setting, f"{found['runs'][-1]['percent']:.1f}%", flush=True)


if __name__ == "__main__":
    main()
