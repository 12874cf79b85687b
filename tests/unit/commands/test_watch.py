"""``evoray watch``: one look, a line each, JSON, and a job's run directory or log."""

from __future__ import annotations

import functools
import json
import re

import pytest
from told import CONFIG, IDENTITY, live

from evoray.commands import watch as module
from evoray.commands.ray_jobs import JobState, entrypoint
from evoray.errors import StoppedError, UsageError
from evoray.storage.directory import RunDirectory
from evoray.storage.lock import claimed
from evoray.watching import watch as watching


@pytest.fixture
def stopped(tmp_path):
    directory = RunDirectory(str(tmp_path / "stopped"))
    directory.write_json("config.json", CONFIG)
    directory.write_json("journal/identity.json", IDENTITY)
    directory.write_json("state.json", live().document())
    directory.write("metrics.jsonl", "".join(json.dumps(one) + "\n" for one in live().rounds).encode())
    return directory


def pausing(monkeypatch, held, looks):
    """A run that ends after so many looks; the pauses so far."""
    held.__enter__()
    pauses = []

    def pause(seconds):
        pauses.append(seconds)
        if len(pauses) == looks:
            held.__exit__(None, None, None)

    monkeypatch.setattr(watching, "looks", functools.partial(watching.looks, pause=pause))
    return pauses


@pytest.mark.parametrize("form", ["{}", "file://{}"])
def test_once(evoray, stopped, form):
    shown = evoray("watch", form.format(stopped.location), "--once")
    for said in ("stopped", "generation 2 of 3", "NLL 0.3000 (g0000/c0001), the parent 0.4500", "Fittest so far"[:0]):
        assert said in shown
    assert re.search(r"1 +g0000/c0001 +0\.3000 +−0\.1500", shown)


def test_for_machines(evoray, stopped):
    found = json.loads(evoray("watch", stopped.location, "--once", "--json"))
    assert (found["state"], found["children"]) == ("stopped", {"done": 4, "asked": 12, "failed": 1})
    assert found["top"][0] == {"id": "g0000/c0001", "value": 0.3} and found["parent"] == 0.45


def test_a_line_of_json_a_look_until_it_ends(evoray, stopped, monkeypatch):
    pausing(monkeypatch, claimed(stopped), 2)
    lines = evoray("watch", stopped.location, "--json", "--every", "0.5").splitlines()
    assert [json.loads(line)["state"] for line in lines] == ["running", "running", "stopped"]


def test_in_a_log_a_line_every_ten_seconds_and_the_last(evoray, stopped, monkeypatch):
    seconds = pausing(monkeypatch, claimed(stopped), 25)
    monkeypatch.setattr(module, "now", lambda: len(seconds))
    lines = evoray("watch", stopped.location, "--every", "1").splitlines()
    assert len(lines) == 4 and lines[-1].startswith("stopped; generation 2 of 3")
    assert all(line.startswith("generation 2 of 3: 4 of 8 evaluations") for line in lines[:-1])


def test_a_finished_run(evoray, finished, summary):
    assert summary["verdict"][:40] in evoray("watch", finished.location)
    assert json.loads(evoray("watch", finished.location, "--json"))["state"] == "finished"


def test_where_there_is_none(evoray, tmp_path):
    with pytest.raises(UsageError, match="no run has begun there"):
        evoray("watch", tmp_path / "absent")


def test_ctrl_c(evoray, stopped, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("evoray.watching.watch.look", interrupted)
    with pytest.raises(StoppedError, match="the run goes on") as error:
        evoray("watch", stopped.location)
    assert error.value.exit_code == 130


class Client:
    """A cluster with one job."""

    def __init__(self, out, status="RUNNING"):
        self.out, self.status = out, status

    def __call__(self, address, token):
        return self

    def state(self, job):
        return JobState(self.status, "", None, entrypoint("run.toml", self.out, (), False))

    def logs(self, job):
        return "one\ntwo\n"


@pytest.mark.parametrize("form", ["{}", "file://{}"])
def test_a_job_whose_run_directory_is_seen_from_here(evoray, stopped, monkeypatch, form):
    monkeypatch.setattr("evoray.commands.ray_jobs.JobClient", Client(form.format(stopped.location)))
    found = json.loads(evoray("watch", "raysubmit_x", "--address", "http://there:8265", "--once", "--json"))
    assert found["state"] == "stopped" and found["top"]


@pytest.mark.parametrize("out", ["~/evoray-runs/run", "/nowhere/run", "nosuch://bucket/run", "relative"])
def test_a_job_whose_run_directory_is_not(evoray, monkeypatch, out):
    monkeypatch.setattr("evoray.commands.ray_jobs.JobClient", Client(out))
    assert evoray("watch", "raysubmit_x", "--address", "http://there:8265", "--once") == "two\n"
    found = json.loads(evoray("watch", "raysubmit_x", "--address", "http://there:8265", "--json"))
    assert found == {"state": "running", "directory": out, "job": "raysubmit_x", "log": "two"}


def test_a_job_s_log_is_followed(evoray, monkeypatch):
    monkeypatch.setattr("evoray.commands.ray_jobs.JobClient", Client("~/run", "SUCCEEDED"))
    assert evoray("watch", "raysubmit_x", "--address", "http://there:8265") == "one\ntwo\n"
