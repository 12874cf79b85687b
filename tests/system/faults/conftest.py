"""A cluster of several nodes on this machine, the run that every scenario disturbs, and its undisturbed result."""

from __future__ import annotations

import os
import shutil
import tempfile

import pytest
from scenes import GENERATIONS, HEALTH, At, Machines, Scene, outputs

import evoray.backends.ray  # before ray: it decides how clusters and workers of this process are started
from evoray.evolution import evolve


@pytest.fixture(scope="session")
def scene(tmp_path_factory, parent_file):
    return Scene(tmp_path_factory.mktemp("scene"), parent_file)


@pytest.fixture(scope="session")
def reference(scene, tmp_path_factory):
    """The undisturbed local run, and how many evaluations it takes."""
    (scene.folder / "sleep").unlink()
    config = scene.config("local", workers=2)
    result = evolve(config, tmp_path_factory.mktemp("local") / "run", config_dir=scene.folder, page=False)
    scene.evaluations = result.summary["work"]["evaluations"]
    scene.clear()
    return outputs(result)


@pytest.fixture(scope="module")
def machines():
    """Ends with the module: later tests of this process start a Ray of their own."""
    import ray

    assert evoray.backends.ray.ray is ray
    # unix sockets need short paths; and no other Ray on this machine shall take this cluster for its own
    folder = tempfile.mkdtemp(prefix="evs", dir="/tmp")
    if ray.is_initialized():
        ray.shutdown()
    before = {key: os.environ.get(key) for key in (*HEALTH, "RAY_TMPDIR")}
    os.environ |= {**HEALTH, "RAY_TMPDIR": folder}
    running = Machines()
    ray.init(address=running.address, log_to_driver=False, logging_level="warning")
    yield running
    ray.shutdown()
    running.cluster.shutdown()
    for key, value in before.items():
        os.environ.pop(key) if value is None else os.environ.update({key: value})
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def two_nodes(machines, scene):
    """Two nodes of one CPU each, and a scene without trouble."""
    # a node added by hand is a plain one; what a scenario changed goes
    for node in list(machines.nodes):
        if getattr(node, "special", False):
            machines.kill(node)
    machines.keep(2)
    scene.clear()
    return machines


@pytest.fixture
def disturbed(two_nodes, scene, tmp_path):
    """Runs the run on the cluster, with something done to it after ``count`` evaluations."""

    def run(count, action, generations=GENERATIONS, words="", then=None, **compute):
        progress = At(count, action, words, then)
        config = scene.config("ray", generations, **compute)
        result = evolve(config, tmp_path / "run", config_dir=scene.folder, progress=progress, page=False)
        return result, progress

    return run
