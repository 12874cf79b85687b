"""``compute.batch_size = "auto"`` is found once, and what is recorded gives the same bytes again."""

from __future__ import annotations

import pytest
from outputs import bytes_of

from evoray.evolution import evolve


def test_the_size_found_is_recorded_and_repeats_the_run(small_run, tmp_path, any_backend):
    asked = small_run(compute__workers=2, compute__batch_size="auto")
    first = evolve(asked, tmp_path / "auto", page=False, **any_backend)
    recorded = first.directory.read_json("config.json")["compute"]["batch_size"]
    assert isinstance(recorded, int) and recorded >= 1
    given = small_run(compute__backend="local", compute__workers=1, compute__batch_size=recorded)
    second = evolve(given, tmp_path / "given", page=False)
    assert bytes_of(first.directory) == bytes_of(second.directory)


def test_a_resumed_run_takes_the_recorded_size(small_run, tmp_path, monkeypatch):
    asked = small_run(compute__batch_size="auto")
    first = evolve(asked, tmp_path / "run", page=False)
    before = first.directory.read("population.parquet")

    def never(*_):
        raise AssertionError("measured again")

    monkeypatch.setattr("evoray.search.workers.tuned_batch_size", never)
    again = evolve(asked, tmp_path / "run", resume=True, page=False)
    assert again.directory.read("population.parquet") == before


@pytest.mark.slow
@pytest.mark.usefixtures("embedded_ray")
def test_on_ray_the_type_is_found_by_a_worker(small_run, tmp_path):
    asked = small_run(compute__dtype="auto", compute__backend="ray", compute__workers=2)
    found = evolve(asked, tmp_path / "ray", page=False)
    recorded = found.directory.read_json("config.json")["compute"]["dtype"]
    assert recorded in ("float32", "bfloat16")
    given = evolve(small_run(compute__dtype=recorded), tmp_path / "local", page=False)
    assert found.population.equals(given.population)
