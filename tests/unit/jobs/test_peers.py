"""The command of jobs/README.md that compares EvoRay with its peers, on a few images."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pytest
import torch

from evoray.models import small, write_state
from evoray.study.small_parents import Recipe, checkpoint

JOB = Path(__file__).parents[3] / "jobs" / "peers.py"
SMALL = ["--architectures", "resnet", "--seeds", "0", "--select", "40", "--test", "60", "--evaluations", "60"]


@pytest.fixture
def out(tmp_path):
    """A folder with a parent that nobody trained."""
    path = checkpoint(tmp_path / "parents", "resnet", 0, "early")
    path.parent.mkdir()
    torch.manual_seed(0)
    write_state(path, small.resnet().model.state_dict())
    path.with_suffix(".json").write_text(json.dumps({"recipe": asdict(Recipe())}))
    return tmp_path


def job(out, *more):
    return subprocess.run([sys.executable, JOB, "--out", out, *SMALL, *more], capture_output=True, text=True)


def test_the_command_runs_what_is_meant_writes_tables_and_repeats_nothing(out):
    assert job(out, "--only", "*/parent").returncode == 0
    second = job(out, "--only", "*/temperature")
    assert second.returncode == 0, second.stderr
    names = {path.stem for path in (out / "arms" / "resnet-0").glob("*.json")}
    assert names == {"parent", "temperature"}
    assert "no search: temperature" in second.stdout and (out / "peers.md").exists()
    again = job(out, "--only", "*/temperature")
    assert again.returncode == 0 and "done" not in again.stdout + again.stderr
    assert (out / "peers.md").read_text() in again.stdout
    other = job(out, "--only", "*/parent", "--evaluations", "80")
    assert other.returncode == 2 and "other sizes" in other.stderr and "Traceback" not in other.stderr
