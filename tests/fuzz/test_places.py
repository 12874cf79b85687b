"""Two programs in one place, and places that are none."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time

import pytest
from program import assert_clean, call

from evoray.storage.lock import LOCK

HOLDS = """
import sys, time
from pathlib import Path
from evoray.errors import RunError
from evoray.runtime.lock import one_at_a_time
with one_at_a_time(Path(sys.argv[1]), "it", RunError):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def held(tmp_path):
    """Another process that holds a lock; its number."""
    started = []

    def hold(path):
        process = subprocess.Popen([sys.executable, "-c", HOLDS, path], stdout=subprocess.PIPE, text=True)
        started.append(process)
        assert process.stdout.readline() == "held\n"
        return process

    yield hold
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()


def test_the_second_is_told_who_the_first_is_and_goes_on_when_it_was_killed(place, held):
    first = held(place / "stopped" / LOCK)
    host, since = os.uname().nodename, time.strftime("%Y-%m-%d")
    for command in (
        ["run", "run.toml", "--out", "stopped", "--resume"],
        ["run", "run.toml", "--out", "stopped"],
        ["window", "run.toml", "--out", "stopped", "--sigmas", "0.1", "--densities", "0.5"],
    ):
        outcome = call(*command)
        assert_clean(outcome)
        assert outcome.code == 2
        for word in (f"process {first.pid}", host, since, "Wait until it ends"):
            assert word in outcome.message
    os.kill(first.pid, signal.SIGKILL)
    first.wait()
    assert json.loads((place / "stopped" / LOCK).read_bytes())["pid"] == first.pid, "a killed program leaves its file"
    assert call("run", "run.toml", "--out", "stopped", "--resume").code == 0
    assert not (place / "stopped" / LOCK).exists()


def test_a_second_ingest_is_told_who_the_first_is(place, held):
    (place / ".new.part").mkdir()
    first = held(place / ".new.part" / "lock")
    arguments = ["data", "ingest", "tree", "new", "--resize", "none", "--channels", 1, "--workers", 1]
    outcome = call(*arguments)
    assert_clean(outcome)
    assert f"process {first.pid}" in outcome.message and not (place / "new").exists()
    first.kill()
    first.wait()
    assert call(*arguments).code == 0
    assert not (place / ".new.part").exists()


NONE = {
    "a file": lambda path: path.write_bytes(b"x"),
    "a pipe": os.mkfifo,
    "a link to itself": lambda path: path.symlink_to(path.name),
    "a device": lambda path: path.symlink_to("/dev/null"),
    "nothing": lambda path: None,
    "an empty folder": lambda path: path.mkdir(),
}


@pytest.mark.parametrize("kind", NONE)
@pytest.mark.parametrize(
    "command", ["show", "report", "export", "verify", "data show", "resume", "rebuild", "data.path"]
)
def test_a_place_that_is_none(place, kind, command):
    """Every command that reads a folder, of something else."""
    NONE[kind](place / "it")
    arguments = {
        "verify": ["data", "verify", "it"],
        "data show": ["data", "show", "it"],
        "resume": ["run", "run.toml", "--out", "it", "--resume"],
        "export": ["export", "it", "best", "-o", "out.safetensors"],
        "rebuild": ["rebuild", "it", "run/parent.safetensors", "-o", "out.safetensors"],
        "data.path": ["run", "run.toml", "--out", "new", "--set", "data.path=it"],
    }.get(command, [command, "it"])
    assert_clean(call(*arguments))
    assert not (place / "new").exists() and not list(place.glob("out*"))


@pytest.mark.parametrize("command", ["run", "window", "submit", "ingest --for"])
@pytest.mark.parametrize("kind", NONE)
def test_a_configuration_that_is_none(place, kind, command):
    NONE[kind](place / "it.toml")
    arguments = {
        "submit": ["submit", "it.toml", "--address", "http://127.0.0.1:1"],
        "ingest --for": ["data", "ingest", "run", "new", "--for", "it.toml"],
    }.get(command, [command, "it.toml", "--out", "new"])
    outcome = call(*arguments)
    assert_clean(outcome)
    assert "it.toml" in outcome.message and not (place / "new").exists()


@pytest.mark.parametrize(
    "out", ["run.toml", "run.toml/below", "/dev/null", "/dev/null/x", "pipe", "loop", "x\0y", "/proc/x", "ftp://a/b"]
)
def test_an_output_place_that_cannot_be(place, out):
    os.mkfifo(place / "pipe")
    (place / "loop").symlink_to("loop")
    before = sorted(os.listdir(place))
    for command in (["run", "run.toml", "--out", out], ["window", "run.toml", "--out", out, "--sigmas", "1"]):
        assert_clean(call(*command))
    assert sorted(os.listdir(place)) == before


@pytest.mark.parametrize(
    "output", ["run", "nowhere/x.safetensors", "x.jpg", "pipe.safetensors", "folder.safetensors", "x\0.safetensors"]
)
def test_an_output_file_that_cannot_be(place, output):
    os.mkfifo(place / "pipe.safetensors")
    (place / "folder.safetensors").mkdir()
    shutil.copy(place / "run" / "lineage" / "best.json", place / "best.json")
    for command in (["export", "run", "best"], ["rebuild", "best.json", "run/parent.safetensors"]):
        assert_clean(call(*command, "-o", output))
        assert_clean(call(*command, "-o", output, "--overwrite"))
