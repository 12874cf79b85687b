"""jobs/examples/cluster: one run.toml, on this machine's Ray and as a job on a head with a token."""

from __future__ import annotations

import json
import shlex
import shutil

import pytest
from outputs import FILES
from readme import FOLDER, commands

from evoray.config import load_config
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


def local(folder):
    """The bytes of the same run without a Ray."""
    config = load_config(folder / "run.toml", [*SMALL, "compute.backend=local", "compute.workers=1"])
    return contents(evolve(config, folder.parent / "local", config_dir=folder, page=False).directory)


def contents(directory):
    return {name: directory.read(name) for name in FILES}


def line_of(program):
    (found,) = [line for line in commands("cluster") if line.startswith(f"uv run evoray {program} run.toml")]
    return shlex.split(found)[2:]


def test_on_a_ray_of_this_machine(folder, ray_workers):
    out = line_of("run")[-1]
    config = load_config(folder / "run.toml", SMALL)
    assert (config.compute.backend, config.compute.workers, out) == ("ray", 2, "runs/here")
    result = evolve(config, out, config_dir=folder, page=False, backend=ray_workers())
    assert set(result.summary["rebuilt"].values()) == {"same"}
    assert contents(result.directory) == local(folder)


@pytest.mark.slow
def test_submitted_as_the_page_says(head, folder):
    command = line_of("submit")
    place = {"http://127.0.0.1:8265": head.dashboard, "/shared/runs/first": str(folder.parent / "first")}
    command = [place.get(word, word) for word in command]
    assert set(place.values()) <= set(command)
    more = [word for one in SMALL for word in ("--set", one)]
    done = head.call(*command, *more, cwd=folder)
    assert done.returncode == 0, done.stdout[-3000:]
    assert json.loads((folder.parent / "first" / "summary.json").read_text())["rebuilt"]["soup"] == "same"
    assert {name: (folder.parent / "first" / name).read_bytes() for name in FILES} == local(folder)
