"""Runs with kept activations: the same bytes as without, on every backend, raced and resumed; only the work is less."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time

import pyarrow.parquet as pq
import pytest

from evoray import evolve
from evoray.storage.directory import RunDirectory
from evoray.storage.journal import Journal

FREE = ("work", "run_id", "config", "phases")


def results(folder):
    """Everything that a run says, without what it cost."""
    summary = json.loads((folder / "summary.json").read_text())
    population = pq.read_table(folder / "population.parquet").to_pylist()
    predictions = pq.read_table(folder / "predictions.parquet").to_pylist()
    return {key: value for key, value in summary.items() if key not in FREE}, population, predictions


@pytest.fixture(scope="module")
def last_layers(parent_file):
    """The parameters of the second half of the demo's parent."""
    from evoray.models import read_state

    names = [name for name in read_state(parent_file) if name.endswith(("weight", "bias"))]
    last = max(name.rpartition(".")[0] for name in names)
    return tuple(name for name in names if name.startswith(last))


def test_kept_on_every_backend_is_kept_off_locally(small_run, last_layers, any_backend, tmp_path):
    how = {"mutation__include": last_layers, "mutation__parts": 2, "search__generations": 2, "soup__method": "greedy"}
    runs = {
        "off": small_run(compute__backend="local", compute__keep_activations=False, **how),
        "on": small_run(compute__keep_activations=True, **how),
    }
    found = {}
    for name, config in runs.items():
        evolve(config, tmp_path / name, page=False, **(any_backend if name == "on" else {}))
        found[name] = results(tmp_path / name)
    assert found["on"] == found["off"]
    on, off = (json.loads((tmp_path / name / "summary.json").read_text())["work"] for name in ("on", "off"))
    assert on["images"] == off["images"] and off["passes_saved"] == 0
    assert on["passes_saved"] > 0.3 * on["images"] and on["notes"] == []


def test_a_race_and_a_resumed_run_keep_too(small_run, last_layers, tmp_path):
    how = {"mutation__include": last_layers, "mutation__parts": 2, "search__racing": True, "search__children": 12}
    for name, keep in (("off", False), ("on", "auto")):
        evolve(small_run(compute__keep_activations=keep, **how), tmp_path / name, page=False)
    assert results(tmp_path / "on") == results(tmp_path / "off")
    for path in ("summary.json", "population.parquet", "predictions.parquet"):
        (tmp_path / "off" / path).unlink()
    evolve(small_run(compute__keep_activations="auto", **how), tmp_path / "off", page=False, resume=True)
    assert results(tmp_path / "on") == results(tmp_path / "off")


def test_children_of_each_block_begin_where_it_does(small_run, tmp_path):
    how = {"search__children": 12, "search__generations": 2}
    mutation = {"kind": "layered", "blocks": 4, "sigma": 0.05}
    for name, keep in (("off", False), ("on", True)):
        config = small_run(compute__keep_activations=keep, **how).model_dump()
        evolve({**config, "mutation": mutation}, tmp_path / name, page=False)
    assert results(tmp_path / "on") == results(tmp_path / "off")
    work = json.loads((tmp_path / "on" / "summary.json").read_text())["work"]
    assert work["passes_saved"] > 0.2 * work["images"]


@pytest.mark.slow
def test_a_run_that_is_killed_and_resumed_is_one_that_was_left_alone(small_run, tmp_path):
    """The real program, gone from one moment to the next while it evaluates children behind cuts."""
    config = small_run(search__children=150, search__generations=2, compute__backend="local").model_dump(mode="json")
    config["compute"]["keep_activations"] = True
    config["mutation"] = {"kind": "layered", "blocks": 4, "sigma": 0.05}
    (tmp_path / "config.json").write_text(json.dumps(config))
    code = (
        "import json, sys; from evoray.evolution import evolve; from evoray.storage import journal\n"
        "journal.FLUSH_SECONDS = 0.05\n"
        "evolve(json.load(open(sys.argv[1])), sys.argv[2], page=False)"
    )
    process = subprocess.Popen([sys.executable, "-c", code, tmp_path / "config.json", tmp_path / "cut"])
    while len(list((tmp_path / "cut" / "journal").glob("*.arrow"))) < 3 and process.poll() is None:
        time.sleep(0.02)
    process.kill()
    assert process.wait() == -signal.SIGKILL
    known = len(Journal(RunDirectory(str(tmp_path / "cut"))).read())
    assert 0 < known < 2 * 150 * 5 and not (tmp_path / "cut" / "summary.json").exists()
    evolve(config, tmp_path / "cut", page=False, resume=True)
    evolve(config, tmp_path / "alone", page=False)
    assert results(tmp_path / "cut") == results(tmp_path / "alone")
    work = json.loads((tmp_path / "cut" / "summary.json").read_text())["work"]
    assert work["passes_saved"] > 0.2 * work["images"]
