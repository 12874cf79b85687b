"""Runs as Ray jobs on a real head with token authentication: followed, stopped, resumed, exit codes kept."""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
from pathlib import Path

import pytest
from outputs import FILES
from program import call

from evoray.commands.ray_jobs import JobClient
from evoray.evolution import evolve

EVOLVE = Path(__file__).parents[2] / "jobs" / "evolve.py"
USER = """
import os, time
from torch.nn import functional

def raises(logits, labels):
    raise ZeroDivisionError('of the user')

def patient(logits, labels):
    if os.path.exists({slow!r}):
        time.sleep(1)
    return -functional.cross_entropy(logits.double(), labels, reduction="none")
"""
"""With ``patient`` a run takes minutes for as long as a file is there."""
TOML = """
[parent]
source = "module"
name = "evoray.demo:small_cnn"
weights = "parent.safetensors"
mean = [0.1307]
std = [0.3081]
[data]
path = "mnist5k"
select = 0.04
test = 0.04
[search]
children = 40
[fitness]
name = "users:patient"
[ensemble]
size = 3
[compute]
backend = "ray"
workers = 1
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory, parent_file):
    """A working directory as a user has it: configuration, weights, a fitness function, jobs/evolve.py."""
    path = tmp_path_factory.mktemp("work")
    (path / "jobs").mkdir()
    shutil.copy(EVOLVE, path / "jobs")
    shutil.copy(parent_file, path / "parent.safetensors")
    (path / "run.toml").write_text(TOML)
    (path / "users.py").write_text(USER.format(slow=str(path / "slow")))
    return path


@pytest.fixture(scope="module")
def reference(folder, tmp_path_factory):
    """The bytes of an undisturbed run in this process."""
    from evoray.config import load_config

    config = load_config(folder / "run.toml", ["compute.backend=local"])
    return contents(evolve(config, tmp_path_factory.mktemp("local") / "run", config_dir=folder, page=False).directory)


def contents(directory):
    return {name: directory.read(name) for name in FILES}


def contents_at(path):
    return {name: (path / name).read_bytes() for name in FILES}


def until(condition, seconds=120):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.2)


def client_of(head):
    return JobClient(head.dashboard, head.environment["RAY_AUTH_TOKEN"])


def test_ray_job_submit_stopped_and_resumed(head, folder, reference, tmp_path):
    command = ("ray", "job", "submit", "--address", head.dashboard, "--working-dir", folder)
    driver = ("--", "python", "jobs/evolve.py", "run.toml", "--out", tmp_path / "run")
    job, slow = f"stopped-{tmp_path.name}", folder / "slow"
    slow.touch()
    submitted = head.call(*command, "--no-wait", "--submission-id", job, *driver)
    while "No available agent" in submitted.stdout:  # a head that answers may still start its agent
        submitted = head.call(*command, "--no-wait", "--submission-id", job, *driver)
    assert submitted.returncode == 0, submitted.stdout[-3000:]
    until(lambda: list((tmp_path / "run" / "journal").glob("*.arrow")))
    client = client_of(head)
    client.stop(job)  # as `ray job stop` asks for it
    until(lambda: client.state(job).status == "STOPPED")
    assert "go on with --resume" in client.logs(job)
    assert not (tmp_path / "run" / "summary.json").exists()
    slow.unlink()
    resumed = head.call(*command, *driver, "--resume")
    assert resumed.returncode == 0, resumed.stdout[-3000:]
    assert contents_at(tmp_path / "run") == reference


@pytest.mark.slow
def test_evoray_submit_follows_and_keeps_the_answer(head, folder, reference, tmp_path):
    submit = ("evoray", "submit", folder / "run.toml", "--address", head.dashboard, "--out", tmp_path / "run")
    whole = head.call(*submit)
    assert whole.returncode == 0, whole.stdout[-3000:]
    assert "soup" in whole.stdout, "the driver's own table"
    assert contents_at(tmp_path / "run") == reference
    again = head.call(*submit, "--json")
    (document,) = [line for line in again.stdout.splitlines() if line.startswith("{")]
    assert json.loads(document)["exit_code"] == again.returncode == 2
    assert "holds another run" in " ".join(again.stdout.split())
    broken = head.call(*submit[:-1], tmp_path / "broken", "--set", "fitness.name=users:raises")
    assert broken.returncode == 1
    assert "of the user" in " ".join(broken.stdout.split())


@pytest.mark.slow
def test_ctrl_c_stops_following_and_not_the_job(head, folder, tmp_path):
    submit = ("evoray", "submit", folder / "run.toml", "--address", head.dashboard, "--out", tmp_path / "run")
    following = head.start(*submit, "--set", "search.children=20000")
    until(lambda: list((tmp_path / "run" / "journal").glob("*.arrow")))
    following.send_signal(signal.SIGINT)
    output, _ = following.communicate(timeout=60)
    assert following.returncode == 130
    job = output.partition("ray job stop ")[2].split()[0]
    client = client_of(head)
    assert client.state(job).status == "RUNNING"
    client.stop(job)
    until(lambda: client.state(job).status == "STOPPED", 60)
    assert "go on with --resume" in client.logs(job)


def test_without_the_token_it_says_so(head, folder, monkeypatch):
    for key in [key for key in os.environ if key.startswith("RAY_AUTH")]:
        monkeypatch.delenv(key)
    refused = call("submit", folder / "run.toml", "--address", head.dashboard)
    assert refused.code == 1
    assert "RAY_AUTH_TOKEN" in refused.errors
