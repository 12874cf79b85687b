"""A run that stops goes on at the unit it stopped at, and ends in the same bytes."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time

import pytest
from outputs import PulledPlug, StopsAfter, bytes_of

from evoray.errors import UsageError
from evoray.evolution import evolve
from evoray.runtime.progress import Progress
from evoray.storage import journal
from evoray.storage.directory import RunDirectory
from evoray.storage.journal import Journal

CHILDREN, SOUPS, PANELS, SAMPLE = 7 * 5, 5 * 5, 5 + 5, 6 * 5
"""How many evaluations each stage of the small run takes."""


@pytest.fixture(scope="module")
def whole(small_run, tmp_path_factory):
    """The small run, never stopped; it is read alone."""
    return evolve(small_run(compute__workers=1), tmp_path_factory.mktemp("whole") / "run", page=False)


@pytest.fixture
def finished(whole, tmp_path):
    """A copy of it for a test of its own."""
    return shutil.copytree(whole.directory.location, tmp_path / "finished")


@pytest.mark.parametrize("after", [3, 25, 36, 58, 68, 80])
def test_resumed_run_ends_in_the_same_bytes(whole, small_run, tmp_path, after, monkeypatch):
    monkeypatch.setattr(journal, "FLUSH_SECONDS", 0.01)
    config = small_run(compute__workers=1)
    with pytest.raises(PulledPlug):
        evolve(config, tmp_path / "cut", progress=StopsAfter(after))
    seen = StopsAfter(10**9)
    resumed = evolve(config, tmp_path / "cut", resume=True, page=False, progress=seen)
    assert bytes_of(resumed.directory) == bytes_of(whole.directory)
    assert 10**9 - seen.left == CHILDREN + SOUPS + PANELS + SAMPLE - after


CHOOSING = {
    "compute__workers": 1,
    "ensemble__method": "greedy",
    "ensemble__temperature": True,
    "soup__method": "greedy",
    "fitness__name": "macro-f1",
    "statistics__children_on_test": 2,
    "data__select": 0.05,
    "data__test": 0.05,
}


@pytest.fixture(scope="module")
def chosen(small_run, tmp_path_factory):
    return evolve(small_run(**CHOOSING), tmp_path_factory.mktemp("chosen") / "run", page=False)


@pytest.mark.parametrize("after", [20, 45, 60, 68, 80, 88])
def test_choosing_members_and_soups_resumes_too(chosen, small_run, tmp_path, after, monkeypatch):
    """Children, soups of the strategy, candidates of the ensemble, a greedy soup, both panels, the sample."""
    monkeypatch.setattr(journal, "FLUSH_SECONDS", 0.01)
    config = small_run(**CHOOSING)
    with pytest.raises(PulledPlug):
        evolve(config, tmp_path / "cut", progress=StopsAfter(after))
    resumed = evolve(config, tmp_path / "cut", resume=True, page=False)
    assert bytes_of(resumed.directory) == bytes_of(chosen.directory)
    assert {k: v for k, v in resumed.summary.items() if k not in ("run_id", "work")} == {
        k: v for k, v in chosen.summary.items() if k not in ("run_id", "work")
    }


def test_resume_refuses_another_configuration(finished, small_run):
    with pytest.raises(UsageError, match=r"mutation\.sigma was 0\.1 and is 0\.2"):
        evolve(small_run(mutation__sigma=0.2), finished, resume=True)


def test_resume_refuses_another_parent(small_run, tmp_path, parent_file):
    from safetensors.torch import load_file, save_file

    copy = tmp_path / "parent.safetensors"
    copy.write_bytes(parent_file.read_bytes())
    config = small_run(parent__weights=str(copy))
    evolve(config, tmp_path / "run", page=False)
    state = load_file(copy)
    state["output.bias"][0] += 1e-6
    save_file(state, copy)
    with pytest.raises(UsageError, match="parent"):
        evolve(config, tmp_path / "run", resume=True)


def test_where_and_how_many_may_change(whole, small_run, tmp_path):
    with pytest.raises(PulledPlug):
        evolve(small_run(compute__workers=1), tmp_path / "cut", progress=StopsAfter(20))
    moved = small_run(compute__workers=2, compute__cpus_per_worker=0.5)
    resumed = evolve(moved, tmp_path / "cut", resume=True, page=False)
    assert bytes_of(resumed.directory) == bytes_of(whole.directory)
    assert resumed.directory.read_json("config.json")["compute"]["workers"] == 2


def test_every_key_that_differs_is_named(finished, small_run):
    with pytest.raises(UsageError, match=r"mutation\.parts was 10 and is 20; search\.children was 6 and is 7\."):
        evolve(small_run(mutation__parts=20, search__children=7), finished, resume=True)


def test_threads_are_part_of_the_answer(finished, small_run):
    with pytest.raises(UsageError, match=r"compute\.threads_per_worker was 1 and is 2"):
        evolve(small_run(compute__threads_per_worker=2), finished, resume=True)


def test_a_finished_run_is_handed_back_as_it_is(whole, finished, small_run):
    assert not (finished / "report.html").exists()
    before = {path: path.stat().st_mtime_ns for path in finished.rglob("*")}
    seen = Said()
    again = evolve(small_run(), finished, resume=True, progress=seen)
    assert (again.summary, again.population) == (whole.summary, whole.population)
    assert any("finished already" in text for text in seen.notes)
    assert seen.evaluated == 0
    after = {path: path.stat().st_mtime_ns for path in finished.rglob("*")}
    assert {path.name for path in after.keys() - before.keys()} == {"report.html"}
    assert all(after[path] == before[path] for path in before)


def test_what_a_program_left_that_was_killed_at_its_very_end_goes(finished, small_run):
    half = finished / "summary.json.0123abcd.part"
    for path in (finished / "lock.json", half):
        path.write_text('{"host": "elsewhere", "pid": 1, "since": ""}')
    evolve(small_run(), finished, resume=True, page=False)
    assert not half.exists() and not (finished / "lock.json").exists() and (finished / "summary.json").exists()


class Said(Progress):
    """Keeps the notes, and counts what is evaluated."""

    def __init__(self):
        self.notes, self.evaluated = [], 0

    def note(self, text):
        self.notes.append(text)

    def advance(self, count):
        self.evaluated += count


def test_auto_begins_a_run_or_goes_on(small_run, tmp_path):
    config, seen = small_run(compute__workers=1), StopsAfter(10**9)
    with pytest.raises(PulledPlug):
        evolve(config, tmp_path / "run", resume="auto", progress=StopsAfter(20))
    evolve(config, tmp_path / "run", resume="auto", page=False, progress=seen)
    assert 10**9 - seen.left == CHILDREN + SOUPS + PANELS + SAMPLE - 20


def test_a_run_stopped_before_it_began_can_begin(whole, small_run, tmp_path):
    (tmp_path / "begun" / "journal").mkdir(parents=True)
    for name in ("space.json", "journal/identity.json"):
        (tmp_path / "begun" / name).write_bytes(whole.directory.read(name))
    begun = evolve(small_run(), tmp_path / "begun", page=False)
    assert bytes_of(begun.directory) == bytes_of(whole.directory)


def test_a_directory_with_another_run_is_refused(finished, small_run):
    with pytest.raises(UsageError, match="another run"):
        evolve(small_run(), finished)


def test_nothing_to_resume_is_said(small_run, tmp_path):
    with pytest.raises(UsageError, match="no run to resume"):
        evolve(small_run(), tmp_path / "run", resume=True)


def test_sigterm_flushes_and_resumes(small_run, tmp_path):
    """The real program, ended by a real signal in the middle."""
    config = small_run(search__children=400, compute__workers=1).model_dump(mode="json")
    (tmp_path / "config.json").write_text(json.dumps(config))
    code = (
        "import json, sys; from evoray.config import parse_config; from evoray.evolution import evolve\n"
        f"evolve(parse_config(json.load(open({str(tmp_path / 'config.json')!r}))), {str(tmp_path / 'run')!r})"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE, text=True)
    folder = tmp_path / "run" / "journal"
    while not list(folder.glob("*.arrow")) and process.poll() is None:
        time.sleep(0.1)
    time.sleep(random.Random(0).uniform(0, 1))
    os.kill(process.pid, signal.SIGTERM)
    _, errors = process.communicate(timeout=120)
    assert process.returncode != 0
    assert "go on with resume=True" in errors
    assert len(Journal(RunDirectory(str(tmp_path / "run"))).read()) > 0
