from __future__ import annotations

import io
import json
import zipfile

import pytest

from evoray.commands import following
from evoray.commands import ray_jobs as module
from evoray.commands.ray_jobs import JobState
from evoray.errors import ConfigError, UsageError


class Cluster:
    """What a cluster was sent, and how its job ends."""

    def __init__(self):
        self.address = "http://head:8265"
        self.made, self.package, self.submitted = None, None, None
        self.log, self.state = "line one\n", JobState("SUCCEEDED", "", 0)

    def client(self, address, token=None):
        self.made = (address, token)
        return self

    def upload(self, package):
        self.package = package
        return "gcs://package.zip"

    def submit(self, entrypoint, working_dir, env_vars):
        self.submitted = (entrypoint, working_dir, env_vars)
        return "job_1"

    def follow(self, client, job, write):
        assert (client, job) == (self, "job_1")
        if isinstance(self.state, BaseException):
            raise self.state
        write(self.log)
        return self.state


@pytest.fixture
def cluster(monkeypatch):
    cluster = Cluster()
    monkeypatch.setattr(module, "JobClient", cluster.client)
    monkeypatch.setattr(following, "follow", cluster.follow)
    monkeypatch.setattr(module, "cluster_token", lambda: "token")
    monkeypatch.delenv("RAY_API_SERVER_ADDRESS", raising=False)
    return cluster


def test_the_folder_travels_and_the_driver_runs_there(evoray, cluster, config_file):
    (config_file.parent / "users.py").write_text("x = 1\n")
    words = ("--out", "s3://b/run", "--set", "seed=4", "--resume", "--env", "A=1", "--env", "B=x=y")
    assert evoray("submit", config_file, *words) == "line one\n"
    entrypoint, folder, env_vars = cluster.submitted
    assert entrypoint == "python -m evoray.commands.job mine.toml --out s3://b/run --set seed=4 --resume"
    assert folder == "gcs://package.zip"
    assert (env_vars["A"], env_vars["B"], env_vars["PYTHONUNBUFFERED"]) == ("1", "x=y", "1")
    assert sorted(zipfile.ZipFile(io.BytesIO(cluster.package)).namelist()) == ["mine.toml", "users.py"]
    assert cluster.made == ("http://127.0.0.1:8265", "token")


def test_the_address_may_come_from_the_environment(evoray, cluster, config_file, monkeypatch):
    monkeypatch.setenv("RAY_API_SERVER_ADDRESS", "http://elsewhere:1")
    evoray("submit", config_file)
    assert cluster.made[0] == "http://elsewhere:1"
    assert cluster.submitted[0].endswith("--out '~/evoray-runs/mine'"), "on the head node"


def test_detached_it_is_not_followed(evoray, cluster, config_file):
    cluster.state = AssertionError("followed")
    assert evoray("submit", config_file, "--detach") == "job_1\n"
    found = json.loads(evoray("submit", config_file, "--detach", "--json"))
    assert found == {"job": "job_1", "out": "~/evoray-runs/mine"}


@pytest.mark.parametrize(
    ("status", "driver", "code"),
    [("SUCCEEDED", 0, 0), ("FAILED", 2, 2), ("FAILED", 137, 1), ("FAILED", None, 1), ("STOPPED", None, 1)],
)
def test_it_ends_with_the_drivers_exit_code(status, driver, code, evoray, cluster, config_file):
    cluster.state = JobState(status, "first line\nsecond", driver)
    found = json.loads(evoray("submit", config_file, "--out", "/shared/run", "--json", code=code))
    assert found == {"job": "job_1", "out": "/shared/run", "status": status, "exit_code": code}


def test_ctrl_c_stops_following_and_not_the_job(evoray, cluster, config_file):
    cluster.state = KeyboardInterrupt()
    evoray("submit", config_file, code=130)


@pytest.mark.parametrize("pair", ["A", "=1", ""])
def test_an_environment_that_is_no_pair_is_refused(pair, evoray, cluster, config_file):
    with pytest.raises(ConfigError, match=f"--env {pair}: write it as NAME=VALUE"):
        evoray("submit", config_file, "--env", pair)
    assert cluster.submitted is None


def test_what_cannot_work_there_is_refused_here(evoray, cluster, config_file):
    with pytest.raises(UsageError, match="--out runs/mine: a job's working directory is a copy"):
        evoray("submit", config_file, "--out", "runs/mine")
    (config_file.parent / "shards").mkdir()
    with pytest.raises(ConfigError, match=r"data\.path = 'shards' is a directory of this machine"):
        evoray("submit", config_file, "--set", "data.path=shards")
    assert cluster.made is None, "nothing was asked of the cluster"
