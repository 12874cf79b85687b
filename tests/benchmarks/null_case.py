"""How often a run claims an improvement where there is none to find: every task, a hundred seeds each.

``python tests/benchmarks/null_case.py FILE --seeds 100``. The fitness is a number made of a child's own outputs that
has nothing to do with the targets, so whatever a search finds on select is worth nothing on test. The verdict has to
be "No improvement shown", but for the one-sided 2.5% that an interval of 95% allows. Networks and records are those of
the campaign of faults (tests/system/disturbance/cases.py): small, so that intervals are at their worst. A task that is
in FILE already is not repeated.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "system"))
from disturbance import cases

from evoray.config import load_config
from evoray.evolution import evolve

NOISE = '''
"""Numbers that have nothing to do with the targets; the same for the same outputs."""

import torch


def noise(outputs, targets):
    parts = [outputs] if isinstance(outputs, torch.Tensor) else [one for one in outputs if torch.is_tensor(one)]
    floats = [one.double().nan_to_num(0, 0, 0) for one in parts if one.is_floating_point()]
    numbers = sum(one.reshape(len(one), -1).sum(1) for one in floats)
    return torch.frac(torch.sin(numbers * 1e5) * 43758.5453)
'''
NOISE_OF_TEXT = '''
"""The same of answers, in a module that a reward's process imports at once."""

import hashlib


def said(prompt, answer, record):
    return int.from_bytes(hashlib.sha256(f"{prompt}|{answer}".encode()).digest()[:6], "big") / 2**48
'''
TASKS = tuple(task.partition(":")[0] for task in ("image-classification", *cases.OTHERS))
NONE = "No improvement shown"


def verdict(case: cases.Case, out: Path, seed: int) -> str:
    """What one run says at its end."""
    generation = case.name.startswith("generation/")
    overrides = ['task.reward="nulltext:said"'] if generation else ['fitness.name="nullnoise:noise"']
    overrides += ['search.strategy="decomposition"', "search.racing=false", "mutation.parts=4", "search.generations=1"]
    overrides += ["search.children=10", "statistics.children_on_test=0", "compute.workers=1"]
    config = load_config(case.config, [*case.overrides, *overrides, f"seed={seed}"])
    return evolve(config, out, config_dir=case.config.parent, page=False).verdict


def claims(task: str, ground: Path, seeds: Iterable[int]) -> dict[int, str]:
    """By seed: every verdict that claims something. ground: where ``cases.prepare`` has written."""
    case = next(one for name, one in cases.cases_in(ground).items() if name.startswith(f"{task}/"))
    (case.config.parent / "nullnoise.py").write_text(NOISE)
    (case.config.parent / "nulltext.py").write_text(NOISE_OF_TEXT)
    found = {}
    with tempfile.TemporaryDirectory(prefix="evn") as folder:
        for seed in seeds:
            said = verdict(case, Path(folder) / "run", seed)
            if not said.startswith(NONE):
                found[seed] = said
            shutil.rmtree(Path(folder) / "run")
    return found


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("file", type=Path)
    asked.add_argument("--seeds", type=int, default=100)
    asked.add_argument("--tasks", nargs="+", default=list(TASKS), choices=TASKS)
    options = asked.parse_args()
    known: dict[str, Any] = json.loads(options.file.read_text()) if options.file.exists() else {}
    with tempfile.TemporaryDirectory(prefix="evn") as folder:
        ground = Path(folder)
        cases.prepare(ground)
        for task in options.tasks:
            if task in known:
                continue
            began = time.perf_counter()
            found = claims(task, ground, range(options.seeds))
            known[task] = {
                "seeds": options.seeds,
                "claims": {seed: " ".join(said.split()) for seed, said in found.items()},
                "seconds": round(time.perf_counter() - began, 1),
                "commit": subprocess.run(
                    ["git", "rev-parse", "--short=7", "HEAD"], capture_output=True, text=True
                ).stdout.strip(),
                "date": datetime.now(UTC).strftime("%Y-%m-%d"),
            }
            options.file.write_text(json.dumps(known, indent=1) + "\n")
            print(f"{task}: {len(found)} of {options.seeds} claim something", flush=True)


if __name__ == "__main__":
    main()
