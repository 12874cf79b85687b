"""Measures the driver and keeps the figures: ``python tests/benchmarks/scaling.py PART …`` on a quiet machine.

Parts: ``8``, ``32``, ``64`` workers (2,000 units of 0.5 s; drawn together in results/scaling.svg), ``limit`` (units of
no length: how many a second one driver serves), ``memory`` (100 and 10,000 children on 50 shards: through Ray with
workers that wait, and on the real path of judging and journal). Each replaces its entry in results/scaling.json.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
from pathlib import Path

from evoray.report.scaling import draw_scaling

HERE = Path(__file__).parent
RESULTS = HERE / "results"
BENCH = ["evoray", "bench", "scaling", "--json"]
JUDGING = ["tests/benchmarks/judging_memory.py"]
WORKERS = ("8", "32", "64")
PARTS = {
    **{count: [[*BENCH, "--workers", count, *["--units", "2000", "--unit-seconds", "0.5"]]] for count in WORKERS},
    "limit": [[*BENCH, "--workers", "8", "--units", "4000", "--unit-seconds", "0", "--repeats", "3"]],
    "memory": [
        [*BENCH, "--workers", "8", "--units", "10", "--unit-seconds", "0.25", "--children", "500"],
        [*BENCH, "--workers", "8", "--units", "1000", "--unit-seconds", "0.25", "--children", "500"],
        [*JUDGING, "100"],
        [*JUDGING, "10000"],
    ],
}


def run(command: list[str]) -> list[dict]:
    module = ["-m", "evoray.cli", *command[1:]] if command[0] == "evoray" else command
    program = [sys.executable, *module]
    document = json.loads(subprocess.run(program, cwd=HERE.parents[1], stdout=subprocess.PIPE, check=True).stdout)
    return document.get("results", [document])


def git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=HERE, stdout=subprocess.PIPE, text=True, check=True).stdout.strip()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="+", choices=PARTS)
    path = RESULTS / "scaling.json"
    kept = json.loads(path.read_text()) if path.exists() else {}
    RESULTS.mkdir(exist_ok=True)
    for part in parser.parse_args().parts:
        kept[part] = {
            "commit": git("rev-parse", "--short", "HEAD"),
            "device": f"{os.cpu_count()}-core CPU, Python {platform.python_version()}",
            "runs": [{"command": " ".join(one), "results": run(one)} for one in PARTS[part]],
        }
        path.write_text(json.dumps(kept, indent=1) + "\n")
    measured = [kept[count]["runs"][0]["results"][0] for count in WORKERS if count in kept]
    if measured:
        draw_scaling(measured, RESULTS / "scaling.svg")


if __name__ == "__main__":
    main()
