"""Small finished runs of one parent on the same records, made once: ``a``, ``b`` (a smaller sigma), ``other`` (another
seed, so other test records); elsewhere ``f1`` and ``f1-b`` (by macro F1)."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from finished_files import config, finished, population, summary

__all__ = ["config", "finished", "population", "summary"]
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
SMALLER, F1 = "mutation.sigma=0.05", 'fitness.name="macro-f1"'


class Pictures(list):
    """A torch Dataset as far as ingest asks."""

    classes = ("a", "b", "c")


@pytest.fixture(scope="session")
def made(tmp_path_factory):
    """The folder that the runs lie in."""
    from PIL import Image

    from evoray.data import ImageTransform
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
    evolved(root, root, {"a": (), "b": (SMALLER,), "other": ("seed=4",)})
    return root


@pytest.fixture(scope="session")
def by_f1(made, tmp_path_factory):
    """The folder of those whose fitness is no mean of records."""
    folder = tmp_path_factory.mktemp("by_f1")
    evolved(made, folder, {"f1": (F1,), "f1-b": (F1, SMALLER)})
    return folder


def evolved(root, into, runs):
    from evoray.config import load_config
    from evoray.evolution import evolve

    before = Path.cwd()
    os.chdir(root)
    try:
        for name, own in runs.items():
            evolve(load_config("run.toml", own), into / name, config_dir=root, page=False)
    finally:
        os.chdir(before)


@pytest.fixture
def runs(made, tmp_path):
    """A copy of them, to be damaged."""
    import shutil

    for name in ("a", "b", "other"):
        shutil.copytree(made / name, tmp_path / name)
    return tmp_path
