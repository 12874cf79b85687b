"""Small finished runs of one parent on the same records, made once: ``a``, ``b`` (a smaller sigma), ``other`` (another
seed, so other test records)."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from finished_files import config, population, summary
from typer.testing import CliRunner

from evoray.cli import app
from evoray.storage.directory import RunDirectory

__all__ = ["config", "population", "summary"]
USERS = """
from torch import nn

def tiny():
    return nn.Sequential(nn.Flatten(), nn.Linear(16, 3))
"""
CONFIG = """
seed = 3
[parent]
source = "module"
name = "users_of_runs:tiny"
weights = "random"
mean = [0.5]
std = [0.5]
[data]
path = "shards"
[mutation]
sigma = 0.5
[search]
children = 4
[ensemble]
size = 2
[compute]
backend = "local"
workers = 1
"""


class Pictures(list):
    """A torch Dataset as far as ingest asks."""

    classes = ("a", "b", "c")


@pytest.fixture(scope="session")
def made(tmp_path_factory):
    """The folder that the runs lie in."""
    from PIL import Image

    from evoray.config import load_config
    from evoray.data import ImageTransform
    from evoray.evolution import evolve
    from evoray.ingest.ingest import ingest_dataset

    root = tmp_path_factory.mktemp("runs")
    (root / "users_of_runs.py").write_text(USERS)
    (root / "run.toml").write_text(CONFIG)
    random = np.random.default_rng(0)
    labels = [number % 3 for number in range(96)]
    shades = [random.integers(128, size=(4, 4)) + 60 * label for label in labels]
    pixels = [Image.fromarray(one.clip(0, 255).astype(np.uint8)) for one in shades]
    pictures = Pictures(zip(pixels, labels, strict=True))
    ingest_dataset(pictures, root / "shards", ImageTransform(resize=None, crop=None, channels=1), shard_size=32)
    before = Path.cwd()
    os.chdir(root)
    try:
        for name, own in {"a": (), "b": ("mutation.sigma=0.05",), "other": ("seed=4",)}.items():
            evolve(load_config("run.toml", own), name, config_dir=root, page=False)
    finally:
        os.chdir(before)
    return root


@pytest.fixture
def runs(made, tmp_path):
    """A copy of them, to be damaged."""
    import shutil

    for name in ("a", "b", "other"):
        shutil.copytree(made / name, tmp_path / name)
    return tmp_path


@pytest.fixture
def finished(summary, config, population, tmp_path):
    """A finished run's directory, of files alone."""
    directory = RunDirectory(str(tmp_path / "run"))
    directory.write_json("summary.json", summary)
    directory.write_json("config.json", config)
    directory.write_table("population.parquet", population)
    return directory


@pytest.fixture
def evoray(monkeypatch):
    """The command line: stdout of a command; what it raises comes through."""

    def call(*arguments, columns=200, code=0):
        monkeypatch.setenv("COLUMNS", str(columns))
        result = CliRunner().invoke(app, [str(argument) for argument in arguments])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert result.exit_code == code, result.output
        return result.stdout

    return call
