"""A run that stops goes on at the unit it stopped at, and ends in the same bytes."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time

import pytest

from evoray import store
from evoray.errors import UsageError
from evoray.progress import Progress
from evoray.search import evolve


class StopsAfter(Progress):
    """Raises, like a power cut that Python notices, after so many evaluations."""

    def __init__(self, count):
        self.left = count

    def advance(self, count):
        self.left -= count
        if self.left < 0:
            raise ConnectionError("pulled the plug")


def bytes_of(directory):
    return {name: directory.read(name) for name in ("population.parquet", "predictions.parquet", "ensemble.json")}


@pytest.mark.parametrize("after", [3, 25, 36, 58, 68, 80])
def test_resumed_run_ends_in_the_same_bytes(small_run, tmp_path, after, monkeypatch):
    monkeypatch.setattr(store, "FLUSH_SECONDS", 0.0)
    config = small_run(compute__workers=1)
    whole = evolve(config, tmp_path / "whole")
    with pytest.raises(ConnectionError):
        evolve(config, tmp_path / "cut", progress=StopsAfter(after))
    seen = StopsAfter(10**9)
    resumed = evolve(config, tmp_path / "cut", resume=True, progress=seen)
    assert bytes_of(resumed.directory) == bytes_of(whole.directory)
    left = 10**9 - seen.left
    children, soups, panels, sample = 7 * 5, 5 * 5, 5 + 5, 6 * 5
    assert left == children + soups + panels + sample - after


@pytest.mark.parametrize("after", [20, 45, 60, 68, 80, 88])
def test_choosing_members_and_soups_resumes_too(small_run, tmp_path, after, monkeypatch):
    """Children, soups of the strategy, candidates of the ensemble, a greedy soup, both panels, the sample."""
    monkeypatch.setattr(store, "FLUSH_SECONDS", 0.0)
    config = small_run(
        compute__workers=1,
        ensemble__method="greedy",
        ensemble__temperature=True,
        soup__method="greedy",
        fitness__name="macro-f1",
        statistics__children_on_test=2,
        data__select=0.05,
        data__test=0.05,
    )
    whole = evolve(config, tmp_path / "whole")
    with pytest.raises(ConnectionError):
        evolve(config, tmp_path / "cut", progress=StopsAfter(after))
    resumed = evolve(config, tmp_path / "cut", resume=True)
    assert bytes_of(resumed.directory) == bytes_of(whole.directory)
    assert {k: v for k, v in resumed.summary.items() if k not in ("run_id", "work")} == {
        k: v for k, v in whole.summary.items() if k not in ("run_id", "work")
    }


def test_resume_refuses_another_configuration(small_run, tmp_path):
    evolve(small_run(), tmp_path / "run")
    with pytest.raises(UsageError, match=r"config\.mutation\.sigma was 0\.1 and is 0\.2"):
        evolve(small_run(mutation__sigma=0.2), tmp_path / "run", resume=True)


def test_resume_refuses_another_parent(small_run, tmp_path, parent_file):
    from safetensors.torch import load_file, save_file

    copy = tmp_path / "parent.safetensors"
    copy.write_bytes(parent_file.read_bytes())
    config = small_run(parent__weights=str(copy))
    evolve(config, tmp_path / "run")
    state = load_file(copy)
    state["output.bias"][0] += 1e-6
    save_file(state, copy)
    with pytest.raises(UsageError, match="parent"):
        evolve(config, tmp_path / "run", resume=True)


def test_a_directory_with_another_run_is_refused(small_run, tmp_path):
    evolve(small_run(), tmp_path / "run")
    with pytest.raises(UsageError, match="another run"):
        evolve(small_run(), tmp_path / "run")


def test_nothing_to_resume_is_said(small_run, tmp_path):
    with pytest.raises(UsageError, match="no run to resume"):
        evolve(small_run(), tmp_path / "run", resume=True)


def test_sigterm_flushes_and_resumes(small_run, tmp_path):
    """The real program, ended by a real signal in the middle."""
    config = small_run(search__children=400, compute__workers=1).model_dump(mode="json")
    (tmp_path / "config.json").write_text(json.dumps(config))
    code = (
        "import json, sys; from evoray.config import parse_config; from evoray.search import evolve\n"
        f"evolve(parse_config(json.load(open({str(tmp_path / 'config.json')!r}))), {str(tmp_path / 'run')!r})"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE, text=True)
    journal = tmp_path / "run" / "journal"
    deadline = time.monotonic() + 60
    while not list(journal.glob("*.arrow")) and time.monotonic() < deadline:
        time.sleep(0.1)
    time.sleep(random.Random(0).uniform(0, 1))
    os.kill(process.pid, signal.SIGTERM)
    _, errors = process.communicate(timeout=30)
    assert process.returncode != 0
    assert "go on with --resume" in errors
    assert len(store.Journal(store.RunDirectory(str(tmp_path / "run"))).read()) > 0
