"""Ten thousand children on fifty shards fit beside a hundred."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / "benchmarks" / "judging_memory.py"


def grown_mb(children, *more):
    found = subprocess.run([sys.executable, SCRIPT, str(children), *more], capture_output=True, text=True, check=True)
    return json.loads(found.stdout)["grown_mb"]


@pytest.mark.slow
def test_the_driver_stays_small():
    assert grown_mb(10_000) - grown_mb(100) < 100


@pytest.mark.slow
def test_sums_of_a_thousand_classes_are_merged_as_they_come():
    """500 children on 50 shards are 600 MB of sums, and 12 MB once merged."""
    assert grown_mb(500, "--macro-f1") - grown_mb(20, "--macro-f1") < 150
