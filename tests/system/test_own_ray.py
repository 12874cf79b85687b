"""A run where no Ray is there: it starts one, and ends it."""

from __future__ import annotations

from outputs import bytes_of

from evoray.evolution import evolve


def test_a_run_starts_a_ray_and_ends_it(small_run, tmp_path):
    from evoray.backends.ray import ray

    ray.shutdown()  # the session's, where one is running
    config = small_run(compute__backend="ray", compute__workers=1)
    found = evolve(config, tmp_path / "run", page=False)
    assert not ray.is_initialized()
    local = evolve(small_run(compute__workers=1), tmp_path / "local", page=False)
    assert bytes_of(found.directory) == bytes_of(local.directory)
