from __future__ import annotations

import json
import os
import time

import pytest

from evoray.errors import UsageError
from evoray.runs.listing import KEYS, list_runs
from evoray.storage.lock import claimed


def by_name(rows):
    return {row.name: row for row in rows}


def test_every_run_is_a_row_with_what_it_found(made):
    rows = by_name(list_runs(str(made)))
    assert sorted(rows) == ["a", "b", "other"]
    summary = json.loads((made / "a" / "summary.json").read_text())
    row = rows["a"]
    assert (row.state, row.task, row.parent) == ("finished", "image-classification", "users_of_runs:tiny")
    assert (row.fitness, row.higher_is_better, row.children) == ("nll", False, 4)
    assert row.test == {
        "parent": summary["parent"]["test"]["nll"],
        **{name: summary[name]["nll"] for name in ("best_child", "soup", "ensemble")},
    }
    assert (row.seconds, row.images) == (summary["work"]["wall_s"], summary["work"]["images"])
    assert row.verdict == summary["verdict"] and row.claim in ("improved", "not shown")
    assert row.date.startswith("20") and json.dumps(row.to_dict())


def test_a_run_itself_may_be_named(made):
    assert [row.name for row in list_runs(str(made / "a"))] == ["a"]
    assert [row.name for row in list_runs(str(made / "a") + "/")] == ["a"]
    assert sorted(row.name for row in list_runs(f"file://{made}")) == ["a", "b", "other"]


def damage(run, name, content):
    run.remove(name) if content is None else run.write(name, content)


@pytest.mark.parametrize(
    ("name", "content", "state", "reason"),
    [
        ("summary.json", b"{", "damaged", "summary.json: damaged, not JSON"),
        ("summary.json", b"{}", "damaged", "summary.json: no verdict"),
        ("summary.json", b"[]", "damaged", "summary.json"),
        ("summary.json", b'{"format": 2}', "damaged", "its format is 2"),
        ("summary.json", b'{"verdict": "x", "work": {"wall_s": "long"}}', "damaged", "parent.test"),
        ("config.json", None, "damaged", "no config.json in it"),
        ("config.json", b"[]", "damaged", "config.json"),
        ("config.json", b'{"parent": 3}', "damaged", "parent"),
        ("population.parquet", b"PAR1", "finished", ""),
        ("metrics.jsonl", b"\xff\n[]\n", "finished", ""),
        ("summary.json", None, "stopped", ""),
    ],
)
def test_a_damaged_run_is_a_row_that_says_why(finished, name, content, state, reason, tmp_path):
    damage(finished, name, content)
    finished.write("space.json", b"{}")
    (row,) = list_runs(str(tmp_path))
    assert (row.name, row.state) == ("run", state) and reason in row.reason
    assert bool(row.reason) == (state == "damaged")


def test_unfinished_runs(finished, tmp_path):
    finished.remove("summary.json")
    lines = [
        {"kind": "parent", "candidates": 1, "wall_s": 1.0},
        {"kind": "child", "candidates": 8, "wall_s": 2.5, "standing": "best so far: NLL 0.2"},
        {"kind": "child", "candidates": "many", "wall_s": None},
    ]
    finished.write("metrics.jsonl", "".join(json.dumps(one) + "\n" for one in lines).encode())
    (row,) = list_runs(str(tmp_path))
    assert (row.state, row.children, row.seconds) == ("stopped", 8, 3.5)
    assert row.verdict == "best so far: NLL 0.2" and row.test == {}
    with claimed(finished):
        assert list_runs(str(tmp_path))[0].state == "running"


def run_at(path, when=0):
    path.mkdir(parents=True)
    (path / "config.json").write_text('{"parent": {"name": "net"}}')
    (path / "space.json").write_text("{}")
    os.utime(path / "config.json", (when, when))


def test_how_deep_it_looks(tmp_path):
    for place in ("one", "x/two", "x/y/three", "x/y/z/four", ".hidden/five", "one/journal/six"):
        run_at(tmp_path / place)
    names = {depth: sorted(row.name for row in list_runs(str(tmp_path), depth=depth)) for depth in (0, 1, 3, 4)}
    assert names == {
        0: [],
        1: ["one"],
        3: ["one", "x/two", "x/y/three"],
        4: ["one", "x/two", "x/y/three", "x/y/z/four"],
    }


def test_what_is_no_run_is_passed_over(tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text("{}")  # a folder of transformers
    (tmp_path / "file").write_text("")
    (tmp_path / "loop").symlink_to(tmp_path)
    (tmp_path / "nowhere").symlink_to(tmp_path / "absent")
    os.mkdir(os.fsencode(tmp_path) + b"/\xff")
    run_at(tmp_path / "run")
    assert "run" in [row.name for row in list_runs(str(tmp_path), depth=1)]
    assert len(list_runs(str(tmp_path), depth=1)) == 1


def test_thousands_are_quick(tmp_path):
    """A minute would be a file read twice a run, or a journal looked into."""
    for number in range(2000):
        run_at(tmp_path / f"r{number:04d}")
    began = time.process_time()
    rows = list_runs(str(tmp_path), sort="name")
    assert len(rows) == 2000 and rows[-1].name == "r1999" and rows[0].state == "stopped"
    assert time.process_time() - began < 30


def test_newest_first_and_by_each_key(tmp_path):
    for number, name in enumerate(("b", "a", "c")):
        run_at(tmp_path / name, 10**9 + number)
    assert [row.name for row in list_runs(str(tmp_path))] == ["c", "a", "b"]
    for key in KEYS:
        assert len(list_runs(str(tmp_path), sort=key)) == 3
    assert [row.name for row in list_runs(str(tmp_path), sort="ensemble")] == ["a", "b", "c"]


def test_the_best_ensemble_comes_first_whatever_its_direction(made, runs):
    rows = list_runs(str(made), sort="ensemble")
    assert [row.test["ensemble"] for row in rows] == sorted(row.test["ensemble"] for row in rows)
    for name in ("a", "b", "other"):
        path = runs / name / "summary.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | {"fitness": "top1"}))
    values = [row.test["ensemble"] for row in list_runs(str(runs), sort="ensemble")]
    assert values == sorted(values, reverse=True)


@pytest.mark.parametrize(
    ("location", "sort", "says"),
    [
        ("absent", "date", "absent: not a folder that can be read"),
        ("file", "date", "file: not a folder that can be read"),
        (".", "dat", r'dat: nothing to sort by\. Did you mean "date"\? Name date, name'),
        ("nothing://x", "date", "not a path or URI"),
    ],
)
def test_refusals(tmp_path, monkeypatch, location, sort, says):
    (tmp_path / "file").write_text("")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=says):
        list_runs(location, sort)
