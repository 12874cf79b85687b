"""A small run and its shards, made once a session; every case damages a copy."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from program import call

USERS = """
from torch import nn

def tiny():
    return nn.Sequential(nn.Flatten(), nn.BatchNorm1d(16), nn.Linear(16, 3))
"""
CONFIG = """
[parent]
source = "module"
name = "fuzzed_users:tiny"
weights = "random"
mean = [0.5]
std = [0.5]
[data]
path = "shards"
[search]
children = 4
[ensemble]
size = 2
[compute]
backend = "local"
workers = 1
"""


@pytest.fixture(scope="session")
def material(tmp_path_factory):
    """A folder with ``run.toml``, ``shards``, pictures in ``tree``, a finished run in ``run``, one in ``stopped``."""
    from PIL import Image

    from evoray.data import ImageTransform
    from evoray.evolution import evolve
    from evoray.ingest.ingest import ingest_dataset

    root = tmp_path_factory.mktemp("material")
    (root / "fuzzed_users.py").write_text(USERS)
    (root / "run.toml").write_text(CONFIG)
    for label in "ab":
        (root / "tree" / label).mkdir(parents=True)
        Image.new("L", (4, 4)).save(root / "tree" / label / "1.png")
    random = np.random.default_rng(0)
    records = [(random.integers(256, size=(4, 4), dtype=np.uint8), number % 3) for number in range(24)]
    pictures = Records([(Image.fromarray(pixels), label) for pixels, label in records])
    ingest_dataset(pictures, root / "shards", ImageTransform(resize=None, crop=None, channels=1), shard_size=12)
    before = Path.cwd()
    os.chdir(root)
    try:
        evolve("run.toml", "run", page=False)
    finally:
        os.chdir(before)
    shutil.copytree(root / "run", root / "stopped")
    for name in ("summary.json", "population.parquet", "predictions.parquet", "ensemble.json"):
        (root / "stopped" / name).unlink()
    shutil.copytree(root / "run", root / "twin")
    return root


class Records(list):
    """A torch Dataset as far as ingest asks."""

    classes = ("a", "b", "c")


@pytest.fixture
def place(material, tmp_path, monkeypatch):
    """A copy of the material, which is also the working directory."""
    shutil.copytree(material, tmp_path / "place")
    monkeypatch.chdir(tmp_path / "place")
    return tmp_path / "place"


@pytest.fixture
def good():
    """A call that has to end well, so that a refusal afterwards is the damage's doing."""

    def check(*arguments):
        outcome = call(*arguments)
        assert outcome.code == 0, outcome.errors
        return outcome

    return check
