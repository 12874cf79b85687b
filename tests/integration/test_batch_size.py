"""``compute.batch_size = "auto"`` is found once, and what is recorded gives the same bytes again."""

from __future__ import annotations

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
