"""Runs that share a backend find its workers warm: model, parent and shards are there, and counted."""

from __future__ import annotations

from contextlib import closing

from outputs import bytes_of

from evoray import make_backend
from evoray.evolution import evolve


def test_a_second_run_reloads_nothing(small_run, tmp_path, any_backend):
    config = small_run(compute__backend=any_backend, compute__workers=1)
    other = small_run(compute__backend=any_backend, compute__workers=1, mutation__sigma=0.05, search__generations=2)
    with closing(make_backend(config.compute)) as shared:
        cold = evolve(config, tmp_path / "cold", page=False, backend=shared)
        first = cold.summary["work"]
        warm = evolve(other, tmp_path / "warm", page=False, backend=shared)
        second = warm.summary["work"]
        again = evolve(config, tmp_path / "again", page=False, backend=shared)
    assert first["models_built"] == 1 and first["shards_loaded"] == 10
    assert second["models_built"] == 0 and second["shards_loaded"] == 0
    assert bytes_of(again.directory) == bytes_of(cold.directory)
    if any_backend == "ray":
        assert first["bytes_to_workers"] > first["parent_bytes"] > 400_000
        assert second["bytes_to_workers"] < 20_000
        assert (first["nodes"], second["nodes"]) == (1, 0)
