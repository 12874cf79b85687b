"""What a run's directory shows, whatever the run is doing."""

from __future__ import annotations

import json

import pyarrow as pa
import pytest
from told import CONFIG, IDENTITY, live, view

from evoray.errors import UsageError
from evoray.storage.directory import RunDirectory
from evoray.storage.lock import claimed
from evoray.watching.view import View, best_line, ended_as, learned_line, look, plain_line, stage_line


@pytest.fixture
def directory(tmp_path):
    directory = RunDirectory(str(tmp_path))
    made = live()
    directory.write_json("config.json", CONFIG)
    directory.write_json("journal/identity.json", IDENTITY)
    directory.write("state.json", json.dumps(made.document()).encode())
    directory.write("metrics.jsonl", "".join(json.dumps(one) + "\n" for one in made.rounds).encode())
    return directory


def test_a_run_at_work_and_once_it_is_gone(directory):
    with claimed(directory):
        found = look(directory)
        assert found.state == "running" and found.holder["pid"] and not found.is_over
    found = look(directory)
    assert found.state == "stopped" and found.is_over
    assert found.top[0] == ("g0000/c0001", 0.3) and found.parent == 0.45
    assert found.generations == (1, 3) and (found.done_children, found.asked_children) == (4, 12)
    assert found.to_json() == json.loads(json.dumps(found.to_json()))


@pytest.mark.parametrize(
    ("error", "state"), [(None, "stopped"), ("KeyboardInterrupt: ", "stopped"), ("RunError: no room", "failed")]
)
def test_how_it_ended(directory, error, state):
    assert ended_as(error) == state
    document = directory.read_json("state.json") | {"error": error}
    directory.write("state.json", json.dumps(document).encode())
    found = look(directory)
    assert found.state == state and found.error == (error if state == "failed" else "")
    assert plain_line(found).startswith(f"{state}: RunError: no room; " if state == "failed" else "stopped; ")


def test_a_run_that_is_about_to_begin(tmp_path):
    directory = RunDirectory(str(tmp_path))
    with claimed(directory):
        found = look(directory)
        assert found.state == "starting" and plain_line(found).startswith("starting on ")
        assert found.to_json()["stage"] is None


@pytest.mark.parametrize("name", ["nowhere", "file"])
def test_where_no_run_has_begun(tmp_path, name):
    (tmp_path / "file").write_text("x")
    with pytest.raises(UsageError, match=r"no run has begun there\. Name a run directory"):
        look(RunDirectory(str(tmp_path / name)))


@pytest.mark.parametrize("content", [b"[]", b"7", b'{"top": 7}', b'{"stage": {"name": 3}}', b'{"format": 2}', b"{"])
def test_a_damaged_state_is_named_with_what_to_do(directory, content):
    directory.write("state.json", content)
    with pytest.raises(UsageError, match=r"state\.json: .*Remove it: a run that goes on writes it again"):
        look(directory)


def test_a_state_that_lacks_what_has_a_default(directory):
    stage = {"name": "child", "part": "g0000", "total": 40, "done": 10}
    directory.write("state.json", json.dumps({"stage": stage}).encode())
    assert "10 of 40" in stage_line(look(directory))


def test_a_run_of_an_earlier_version_has_rounds_alone(directory):
    directory.remove("state.json")
    found = look(directory)
    assert (found.state, found.generations, found.top, found.done_children) == ("stopped", (1, 3), [], None)
    assert plain_line(found) == "stopped"


def test_a_finished_run(tmp_path, summary, config, population):
    directory = RunDirectory(str(tmp_path))
    directory.write_json("config.json", config)
    directory.write_json("journal/identity.json", IDENTITY)
    directory.write_json("summary.json", summary)
    directory.write_table("population.parquet", population)
    found = look(directory)
    assert found.state == "finished" and found.verdict == summary["verdict"]
    best = min(population.to_pylist(), key=lambda row: row["rank"])
    assert found.top[0][0] == best["child_id"] and found.done_children == population.num_rows
    assert found.parent == summary["parent"]["select"][found.measure.key]


def test_lines():
    found = view()
    assert stage_line(found).startswith("generation 2 of 3: 4 of 8 evaluations (")
    many = view(live={"stage": {**found.live["stage"], "total": 80, "done": 41, "rate": None, "left": 100.0}})
    assert stage_line(many) == "generation 2 of 3: 20 of 40 children, 2 min left"
    assert many.search_left_s == 10.0 + 100.0
    assert best_line(found) == "NLL 0.3000 (g0000/c0001), the parent 0.4500"
    assert "best so far: NLL 0.3000 (g0000/c0001)" in plain_line(found)
    assert "workers: 2 ready, 1 starting" in plain_line(found)


@pytest.mark.parametrize(
    ("sigma", "asked", "said"),
    [
        (0.1, 0.1, "sigma 0.1"),
        (0.12345, "auto", "sigma 0.1235 (found by this run)"),
        ([0.5, 1.0], "auto", "sigma 0.5, 1 (found by this run)"),
        ("auto", "auto", "sigma is being looked for"),
    ],
)
def test_what_was_learned(sigma, asked, said):
    config, before = ({"mutation": {"sigma": one}} for one in (sigma, asked))
    assert learned_line(view(config=config, asked=before)) == said


def test_what_blocks_were_given():
    blocks = [{"block": block, "children": 10 * block, "best": None} for block in range(10)]
    said = learned_line(view(live={"blocks": blocks}))
    assert said == "sigma 0.1; children by block 0, 10, 20, 30, 40, 50, 60, 70, …"


def test_names_of_a_stranger_do_not_steer_the_terminal():
    found = view(live={"top": [{"id": "\x1b[2J", "value": 0.1}], "workers": {"\x07": 1}})
    assert "\x1b" not in plain_line(found) and "\x07" not in plain_line(found)


def test_finished_runs_without_children(summary, population):
    empty = View("x", "finished", summary=summary, children=population.slice(0, 0))
    assert empty.top == [] and empty.done_children == 0 and isinstance(population, pa.Table)
