"""``evoray bench throughput`` by CPU time, one thread: figures that hold on a machine that others use too.

    uv run --group bench python tests/benchmarks/throughput.py NAME [options of throughput as key=value]

With one thread CPU time is what the wall clock would show on an idle core, so that ratios do not depend on who else
is computing (caches and memory apart). Writes ``tests/benchmarks/results/throughput-NAME.json``.
"""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import torch

from evoray import benchmarks

RESULTS = Path("tests/benchmarks/results")


def main() -> None:
    name, *pairs = sys.argv[1:]
    options = dict(pair.split("=", 1) for pair in pairs)
    given = {key: _value(text) for key, text in options.items()}
    benchmarks.time.perf_counter = time.process_time
    torch.set_num_threads(1)
    results = benchmarks.throughput(threads=1, **given)
    document = {
        "command": " ".join(["python", *sys.argv]),
        "commit": subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True).stdout.strip(),
        "clock": "CPU time of one thread",
        "load": os.getloadavg(),
        "torch": torch.__version__,
        "results": results,
    }
    out = Path(os.environ.get("RESULTS", RESULTS))
    (out / f"throughput-{name}.json").write_text(json.dumps(document, indent=1) + "\n")


def _value(text: str) -> object:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


if __name__ == "__main__":
    main()
