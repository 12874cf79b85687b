"""What is sent to a cluster, with which token, and what a job's end means."""

from __future__ import annotations

import io
import re
import subprocess
import zipfile

import pytest

from evoray.commands import ray_jobs
from evoray.commands.ray_jobs import (
    JobClient,
    JobState,
    check_out,
    check_paths,
    cluster_token,
    entrypoint,
    package_folder,
    parent_files,
    parent_note,
    remedy_of,
)
from evoray.config import parse_config
from evoray.errors import BackendError, ConfigError, UsageError


def names_in(package):
    return sorted(zipfile.ZipFile(io.BytesIO(package)).namelist())


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "work"
    files = ("run.toml", "users.py", "sub/more.py", ".hidden/key", "__pycache__/users.pyc", "runs/a/journal/0.arrow")
    for name in (*files, "shards/manifest.json", "shards/shard-00000.arrow", "parent.safetensors"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)
    return root


def test_a_folder_travels_without_runs_shards_and_caches(folder):
    package = package_folder(folder)
    assert names_in(package) == ["parent.safetensors", "run.toml", "sub/more.py", "users.py"]
    assert package == package_folder(folder), "the same files are the same package"


def test_git_decides_where_there_is_a_repository(folder):
    subprocess.run(["git", "init", "-q", str(folder)], check=True)
    (folder / ".gitignore").write_text("*.safetensors\n/runs/\n/shards/\n__pycache__/\n.hidden/\n")
    assert names_in(package_folder(folder)) == [".gitignore", "run.toml", "sub/more.py", "users.py"]
    assert "parent.safetensors" in names_in(package_folder(folder, ["parent.safetensors"]))


def test_a_folder_that_is_too_large_names_its_largest_file(folder, monkeypatch):
    monkeypatch.setattr(ray_jobs, "PACKAGE_BYTES", 40)
    with pytest.raises(UsageError, match=r"parent\.safetensors.*\.gitignore"):
        package_folder(folder)


@pytest.mark.parametrize(
    ("environment", "token"),
    [
        ({}, None),
        ({"RAY_AUTH_TOKEN": "abc\n"}, "abc"),
        ({"RAY_AUTH_MODE": "token"}, "from home"),
        ({"RAY_AUTH_MODE": "disabled"}, None),
        ({"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "abc"}, "abc"),
    ],
)
def test_the_token_is_where_ray_keeps_it(environment, token, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".ray").mkdir()
    (tmp_path / ".ray" / "auth_token").write_text("from home\n")
    assert cluster_token(environment) == token


def test_a_token_that_is_nowhere_is_said(tmp_path):
    with pytest.raises(UsageError, match="RAY_AUTH_TOKEN"):
        cluster_token({"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(tmp_path / "absent")})


def test_the_driver_gets_every_word_whole():
    command = entrypoint("my run.toml", "s3://bucket/a b", ["fitness.name=users:f", 'mutation.include=["a*"]'], True)
    assert command == (
        "python -m evoray.commands.job 'my run.toml' --out 's3://bucket/a b' "
        "--set fitness.name=users:f --set 'mutation.include=[\"a*\"]' --resume"
    )


@pytest.mark.parametrize("out", ["runs/first", "first", "./x"])
def test_an_out_that_goes_with_the_job_is_refused(out):
    with pytest.raises(UsageError, match="--out"):
        check_out(out)


@pytest.mark.parametrize("out", ["s3://bucket/run", "/shared/run", "~/run"])
def test_an_out_that_stays_is_taken(out):
    assert check_out(out) == out


def config(**changes):
    values = {"parent": {"name": "resnet18", "weights": "random"}, "data": {"path": "s3://bucket/shards"}}
    for key, value in changes.items():
        section, _, name = key.partition("__")
        values[section][name] = value
    return parse_config(values)


@pytest.fixture
def nets(folder):
    """Folders of transformers and a file of ONNX that git ignores, inside and outside of what travels."""
    for place in ("net", "../outside"):
        (folder / place).mkdir()
        for name in ("config.json", "model.safetensors", "tokenizer.json"):
            (folder / place / name).write_text(name)
    (folder / "int8.onnx").write_text("onnx")
    subprocess.run(["git", "init", "-q", str(folder)], check=True)
    (folder / ".gitignore").write_text("*.safetensors\n*.onnx\n/runs/\n/shards/\n__pycache__/\n.hidden/\n")
    return folder


def parent(source, name, **more):
    weights = {} if source == "torchvision" else {"parent__weights": None}
    return config(parent__source=source, parent__name=name, **weights, **more).parent


@pytest.mark.parametrize(
    ("source", "name", "files"),
    [
        ("transformers", "net", ["net/config.json", "net/model.safetensors", "net/tokenizer.json"]),
        ("transformers", "./net/", ["net/config.json", "net/model.safetensors", "net/tokenizer.json"]),
        ("onnx", "int8.onnx", ["int8.onnx"]),
        ("torchvision", "resnet18", []),
    ],
)
def test_a_parent_that_is_a_folder_or_a_file_travels_whatever_git_ignores(nets, source, name, files):
    own = parent(source, name)
    assert sorted(parent_files(own, nets)) == files and parent_note(own, nets) is None
    assert set(files) <= set(names_in(package_folder(nets, parent_files(own, nets))))


@pytest.mark.parametrize(
    ("source", "name", "more", "said"),
    [
        ("transformers", "/shared/net", {}, "looked for in the cluster's head node"),
        ("transformers", "~/net", {}, "looked for in the cluster's head node"),
        ("onnx", "/shared/int8.onnx", {}, "looked for in the cluster's head node"),
        ("transformers", "owner/net", {}, "the Hub's cache .*or set parent.download = true"),
        ("transformers", "owner/net", {"parent__download": True}, "the Hub's cache .*fetches it there"),
    ],
)
def test_a_parent_that_does_not_travel_is_said(nets, source, name, more, said):
    note = parent_note(parent(source, name, **more), nets)
    assert note is not None and re.search(said, note) and f"parent.name = '{name}' does not travel" in note


@pytest.mark.parametrize(
    ("source", "name", "why"),
    [
        ("transformers", "../outside", "outside .* all that travels"),
        ("transformers", "./absent", "is not beside the configuration"),
        ("onnx", "absent.onnx", "is not beside the configuration"),
    ],
)
def test_a_parent_that_cannot_travel_is_refused(nets, source, name, why):
    with pytest.raises(ConfigError, match=f"parent.name.*{why}"):
        parent_files(parent(source, name), nets)


def test_a_guards_data_that_lies_here_is_refused(folder):
    guard = {"name": "old", "data": {"path": "shards"}, "keep": "top1 >= parent - 0.01"}
    values = {"parent": {"name": "resnet18", "weights": "random"}, "data": {"path": "s3://b/shards"}, "guard": [guard]}
    with pytest.raises(ConfigError, match=r"guard old: data\.path = 'shards' is a directory of this machine"):
        check_paths(parse_config(values), folder)


def test_clean_records_that_lie_here_are_refused(folder):
    values = {"parent": {"name": "resnet18", "weights": "random"}, "data": {"path": "s3://b/shards"}}
    fitness = {"name": "agreement", "reference": "shards"}
    with pytest.raises(ConfigError, match=r"fitness\.reference = 'shards' is a directory of this machine"):
        check_paths(parse_config(values | {"fitness": fitness}), folder)


def test_data_that_lies_here_is_refused(folder):
    check_paths(config(), folder)
    check_paths(config(parent__weights="parent.safetensors"), folder)
    check_paths(config(parent__weights="/shared/parent.pth"), folder)
    check_paths(config(parent__weights="~/parent.ckpt"), folder)
    with pytest.raises(ConfigError, match=r"data\.path = 'shards'"):
        check_paths(config(data__path="shards"), folder)
    for weights in ("absent.pth", "../outside.pth", "absent.CKPT", "a/b"):
        with pytest.raises(ConfigError, match=r"parent\.weights"):
            check_paths(config(parent__weights=weights), folder)


@pytest.mark.parametrize(
    ("status", "driver", "code"),
    [
        ("SUCCEEDED", 0, 0),
        ("FAILED", 1, 1),
        ("FAILED", 2, 2),
        ("FAILED", 137, 1),
        ("FAILED", None, 1),
        ("STOPPED", None, 1),
    ],
)
def test_the_exit_code_is_the_drivers(status, driver, code):
    assert JobState(status, "", driver).exit_code == code


@pytest.mark.parametrize(
    ("state", "says"),
    [
        (JobState("FAILED", "exit code 127: /bin/sh: 1: python: not found", 127), "no python on its PATH"),
        (JobState("FAILED", "bash: python: command not found", None), "no python on its PATH"),
        (JobState("FAILED", "Permission denied", 126), "one that may not be run"),
        (JobState("FAILED", "/usr/bin/python: No module named evoray", 1), "has no evoray"),
        (JobState("FAILED", "ModuleNotFoundError: No module named 'evoray'", 1), "has no evoray"),
        (JobState("STOPPED", "", None), "submit again with --resume"),
    ],
)
def test_what_a_log_does_not_say_is_said_here(state, says):
    assert says in remedy_of(state)
    assert remedy_of(JobState("FAILED", "ConfigError: sigma", 2)) is None


def test_nobody_there_and_no_address():
    with pytest.raises(BackendError, match=r"no Ray dashboard answers there \(Connection refused\)"):
        JobClient("http://127.0.0.1:9").state("x")
    with pytest.raises(UsageError, match="--address"):
        JobClient("ray://127.0.0.1:10001")
