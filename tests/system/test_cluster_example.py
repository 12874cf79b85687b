"""jobs/examples/cluster: its run.toml on this machine's Ray; its submission, as far as a cluster that is not there."""

from __future__ import annotations

import shlex
import shutil

import pytest
from readme import FOLDER, commands
from typer.testing import CliRunner

from evoray.config import load_config
from evoray.errors import EvorayError
from evoray.evolution import evolve

SMALL = ["search.children=4", "data.select=0.04", "data.test=0.04", "ensemble.size=2"]


@pytest.fixture
def folder(tmp_path, parent_file, monkeypatch):
    """The example's folder, with the network that its have.py trains."""
    found = tmp_path / "cluster"
    shutil.copytree(FOLDER / "cluster", found, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(parent_file, found / "parent.safetensors")
    monkeypatch.chdir(found)
    return found


def line_of(program):
    (found,) = [line for line in commands("cluster") if line.startswith(f"uv run evoray {program} run.toml")]
    return shlex.split(found)[3:]


def test_on_a_ray_of_this_machine(folder, ray_workers):
    out = line_of("run")[-1]
    config = load_config(folder / "run.toml", SMALL)
    assert (config.compute.backend, config.compute.workers, out) == ("ray", 2, "runs/here")
    result = evolve(config, out, config_dir=folder, page=False, backend=ray_workers())
    assert set(result.summary["rebuilt"].values()) == {"same"}


def test_its_submission_is_read_and_then_finds_no_cluster(folder):
    from evoray.cli import app

    words = ["http://127.0.0.1:9" if word == "http://127.0.0.1:8265" else word for word in line_of("submit")]
    assert "http://127.0.0.1:9" in words
    found = CliRunner().invoke(app, words)
    assert isinstance(found.exception, EvorayError), found.output
    assert "no Ray dashboard answers there" in str(found.exception)
