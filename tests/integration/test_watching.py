"""What a watcher is told of a real run is what its journal and its tables hold."""

from __future__ import annotations

import json
from collections import Counter

import pyarrow.parquet
import pytest
from outputs import FILES, PulledPlug, StopsAfter

from evoray.evolution import evolve
from evoray.storage.directory import RunDirectory
from evoray.storage.journal import Journal
from evoray.watching.keeper import is_growing
from evoray.watching.view import look


@pytest.fixture(scope="module")
def whole(small_run, tmp_path_factory):
    config = small_run(search__children=4, search__generations=2)
    return config, evolve(config, tmp_path_factory.mktemp("runs") / "whole", page=False)


def evaluations(directory):
    """By stage, how many the journal holds."""
    records = Journal(directory).read()
    return Counter({stage: len(list(records.take(stage))) for stage in list(records._stages)})


def test_a_run_that_is_stopped_and_goes_on(whole, tmp_path):
    config, _ = whole
    with pytest.raises(PulledPlug):
        evolve(config, tmp_path / "run", progress=StopsAfter(50))
    directory = RunDirectory(str(tmp_path / "run"))
    found, journal = look(directory), evaluations(RunDirectory(str(tmp_path / "run")))
    assert found.state == "failed" and found.error.startswith("PulledPlug")
    stage = found.live["stage"]
    assert stage["done"] in (journal[stage["name"]], journal[stage["name"]] + 1)  # the last one was cut
    done = [name for name in journal if name.endswith("/child") and name != stage["name"]]
    assert found.done_children == 4 * len(done) > 0
    assert is_growing(directory) and b"failed: PulledPlug" in directory.read("report.html")
    result = evolve(config, tmp_path / "run", resume=True, page=False)
    assert look(directory).verdict == result.verdict
    assert not directory.exists("state.json") and not directory.exists("report.html")


def test_figures_so_far_are_those_of_the_tables(whole, tmp_path):
    config, result = whole
    with pytest.raises(PulledPlug):
        evolve(config, tmp_path / "run", progress=StopsAfter(50), page=False)
    found = look(RunDirectory(str(tmp_path / "run")))
    rows = {row["child_id"]: row["select_nll"] for row in result.population.to_pylist()}
    for name, value in found.top:
        if name in rows:
            assert value == pytest.approx(rows[name], rel=1e-12)
    assert sum(name in rows for name, _ in found.top) >= 4
    assert found.parent == pytest.approx(result.summary["parent"]["select"]["nll"], rel=1e-12)
    assert [value for _, value in found.top] == sorted(value for _, value in found.top)


def test_watching_changes_no_answer(whole, tmp_path):
    config, result = whole
    with_page = evolve(config, tmp_path / "run")
    assert {name: with_page.directory.read(name) for name in FILES} == {
        name: result.directory.read(name) for name in FILES
    }
    assert not is_growing(with_page.directory)
    assert json.dumps(with_page.summary["parent"]) == json.dumps(result.summary["parent"])
    assert pyarrow.parquet.read_table(tmp_path / "run" / "population.parquet").num_rows == 8
