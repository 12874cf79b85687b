"""A run that is started from inside a Ray program: a task, an actor, an event loop, a cluster that the user has."""

from __future__ import annotations

from pathlib import Path

import pytest

import evoray

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def configuration(backend):
    return {
        "parent": {"source": "module", "name": "evoray.models.small:cnn", "weights": "random"},
        "data": {"path": "mock:images=96,size=28,channels=1,classes=10,shard_size=32"},
        "search": {"children": 4},
        "ensemble": {"size": 2},
        "compute": {"backend": backend, "workers": 2},
    }


def evolved(out, backend):
    return evoray.evolve(configuration(backend), out, page=False).directory.read("population.parquet")


@pytest.fixture(scope="module")
def ray():
    import ray

    ray.init(num_cpus=6, namespace="the user's", include_dashboard=False, log_to_driver=False)
    yield ray
    ray.shutdown()


@pytest.mark.parametrize("backend", ["local", "ray"])
@pytest.mark.parametrize("where", ["program", "task", "actor", "async actor"])
def test_it_ends_in_the_same_bytes(ray, tmp_path: Path, where, backend):
    expected = evolved(tmp_path / "expected", "local")
    out = str(tmp_path / "out")
    if where == "program":
        found = evolved(out, backend)
        assert ray.is_initialized(), "it is the user's"
    elif where == "task":
        found = ray.get(ray.remote(evolved).remote(out, backend))
    elif where == "actor":

        class Plain:
            def evolve(self):
                return evolved(out, backend)

        found = ray.get(ray.remote(Plain).remote().evolve.remote())
    else:

        class Async:
            async def evolve(self):
                return evolved(out, backend)

        found = ray.get(ray.remote(Async).remote().evolve.remote())
    assert found == expected
