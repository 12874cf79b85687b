from __future__ import annotations

import os
import subprocess
import sys

import pytest

from evoray.data import make_cache, open_dataset
from evoray.data.reader import place_of
from evoray.errors import ConfigError, DataError
from evoray.runtime.paths import expanded, names_a_checkpoint
from evoray.storage.directory import RunDirectory


@pytest.fixture(autouse=True)
def environment(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("DATA", "/data")
    monkeypatch.delenv("ABSENT", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("~", "{home}"), ("~/a", "{home}/a"), ("$DATA/a", "/data/a"), ("${DATA}/a", "/data/a"), ("a/$DATA", "a//data"),
        ("~/$DATA", "{home}//data"), ("a~b", "a~b"), ("./~", "./~"), ("a", "a"), ("/a b", "/a b"), ("", ""),
        ("s3://b/$DATA", "s3://b/$DATA"), ("s3://b/~", "s3://b/~"), ("mock:images=3", "mock:images=3"), ("50$", "50$"),
        ("a\0b", "a\0b"), ("~root", os.path.expanduser("~root")),
    ],
)  # fmt: skip
def test_paths_are_read_as_a_shell_reads_them(path, expected, environment):
    assert expanded(path) == expected.format(home=environment)


@pytest.mark.parametrize(
    ("path", "words"),
    [("$ABSENT/a", "no ABSENT"), ("${ABSENT}", "no ABSENT"), ("~nobody_of_that_name/a", "no such home directory")],
)
def test_what_cannot_be_replaced_is_named(path, words):
    with pytest.raises(ConfigError, match=words):
        expanded(path)


def test_what_exists_as_it_is_written_stays(environment):
    for name in ("a$DATA", "~nobody_of_that_name"):
        (environment / name).touch()
        assert expanded(name) == name


def test_data_runs_and_caches_lie_where_they_say(environment):
    assert str(place_of("~/shards")) == f"{environment}/shards"
    assert RunDirectory("~/run").path("a") == f"{environment}/run/a"
    assert RunDirectory("$DATA/run").everywhere == "/data/run"
    assert str(make_cache("~/cache", None)._folder) == f"{environment}/cache"
    with pytest.raises(DataError, match=rf"{environment}/shards"):
        open_dataset("~/shards")


def test_a_user_without_a_home_has_a_cache_and_a_message():
    """In a container whose user has no entry in passwd."""
    code = (
        "import os, pwd\n"
        "def absent(_): raise KeyError\n"
        "pwd.getpwuid = absent\n"
        "del os.environ['HOME']\n"
        "from evoray.data import make_cache\n"
        "print(make_cache(None, None)._folder)\n"
        "from evoray.runtime.paths import expanded\n"
        "expanded('~/a')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.strip().endswith(f"evoray-{os.getuid()}/shards")
    assert done.stderr.strip().endswith("ConfigError: ~/a: no such home directory. Set HOME, or write the path out.")


@pytest.mark.parametrize(
    ("weights", "file"),
    [
        ("a.pth", True), ("x/y", True), ("~/y", True), ("A.PTH", True), ("a.Safetensors", True), ("a.pth.tar", True),
        ("last.ckpt", True), ("a.bin", True), ("m.index.json", True), ("./weights", True), ("a1_in1k", False),
        ("IMAGENET1K_V1", False), ("random", False), ("pretrained", False),
    ],
)  # fmt: skip
def test_what_is_written_like_a_file(weights, file):
    assert names_a_checkpoint(weights) is file
