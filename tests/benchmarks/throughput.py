"""``evoray bench throughput`` with what a kept figure needs: commit, command, processor, load.

    OMP_NUM_THREADS=1 uv run --group bench python tests/benchmarks/throughput.py NAME [key=value of throughput …]

With one thread (the default here) CPU time is what the clock would show on an idle core, so that ratios by it depend
little on who else is computing (caches and memory apart). Writes ``tests/benchmarks/results/throughput-NAME.json``.
"""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import torch

from evoray import benchmarks

RESULTS = Path("tests/benchmarks/results")


def main() -> None:
    name, *pairs = sys.argv[1:]
    options = {key: _value(text) for key, text in (pair.split("=", 1) for pair in pairs)}
    options = {"threads": 1} | options
    torch.set_num_threads(options["threads"])
    commit = _git("rev-parse", "HEAD")
    changed = _git("status", "--porcelain", "--untracked-files=no")
    load = [os.getloadavg()]
    results = benchmarks.throughput(**options)
    document = {
        "command": " ".join([f"OMP_NUM_THREADS={os.environ.get('OMP_NUM_THREADS', '')}", "python", *sys.argv]),
        "commit": commit,
        "uncommitted": changed.splitlines(),
        "processor": _processor(),
        "load": [*load, os.getloadavg()],
        "torch": torch.__version__,
        "results": results,
    }
    out = Path(os.environ.get("RESULTS", RESULTS))
    (out / f"throughput-{name}.json").write_text(json.dumps(document, indent=1) + "\n")


def _git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], capture_output=True, text=True, check=True).stdout.strip()


def _processor() -> str:
    """Its name, cores, and the instructions that decide how fast bfloat16 is."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    values = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    wanted = ("avx512f", "avx512_bf16", "amx_bf16", "amx_tile")
    flags = " ".join(flag for flag in wanted if flag in values["flags"].split())
    return f"{values['model name']}, family {values['cpu family']}, {os.cpu_count()} cores; {flags}"


def _value(text: str) -> Any:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


if __name__ == "__main__":
    main()
