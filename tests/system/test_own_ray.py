"""A run where no Ray is there: it starts one, and ends it; and on two workers there all is as it is locally."""

from __future__ import annotations

from outputs import all_of

from evoray.evolution import evolve


def test_a_run_starts_a_ray_and_ends_it_with_the_bytes_of_a_local_run(small_run, tmp_path):
    from evoray.backends.ray import ray

    ray.shutdown()  # the session's, where one is running
    config = small_run(compute__backend="ray", compute__workers=2, search__generations=2)
    files, summary = all_of(evolve(config, tmp_path / "run", page=False))
    assert not ray.is_initialized()
    local = small_run(compute__workers=1, search__generations=2)
    expected, said = all_of(evolve(local, tmp_path / "local", page=False))
    assert files.keys() == expected.keys()
    assert [name for name in files if files[name] != expected[name]] == []
    assert summary == said
