from __future__ import annotations

import json
import os
import socket

import pytest

from evoray.errors import UsageError
from evoray.storage.lock import claimed


def test_show_prints_the_tables(evoray, finished, summary):
    shown = evoray("show", finished.location)
    for words in ("Ensemble of 8", "95% interval", summary["best_child"]["id"]):
        assert words in shown


def test_show_for_machines_is_the_summary_alone(evoray, finished, summary):
    finished.remove("population.parquet")
    assert json.loads(evoray("show", finished.location, "--json")) == json.loads(json.dumps(summary))


def test_report_draws_the_page_again(evoray, finished, summary, tmp_path, monkeypatch):
    path = f"{tmp_path}/run/report.html"
    assert evoray("report", finished.location) == f"{path}\n"
    assert summary["verdict"][:40] in (tmp_path / "run" / "report.html").read_text()
    monkeypatch.setattr("evoray.results.write.write_page", lambda directory: directory.path("report.html"))
    assert json.loads(evoray("report", finished.location, "--json")) == {"report": path}


@pytest.mark.parametrize("command", ["show", "report"])
def test_a_run_that_is_not_there_is_named(command, evoray, tmp_path):
    with pytest.raises(UsageError, match=r"absent: no summary\.json in it\. Name a run directory"):
        evoray(command, tmp_path / "absent")


@pytest.mark.parametrize("command", ["show", "report"])
def test_a_damaged_file_is_named(command, evoray, finished):
    finished.write("summary.json", b"{")
    with pytest.raises(UsageError, match=r"summary\.json: damaged"):
        evoray(command, finished.location)


def round_of(generation, **more):
    line = {"generation": generation, "kind": "child", "candidates": 4, "failed": 0, "best_fitness": -0.3}
    return json.dumps(line | more) + "\n"


@pytest.fixture
def begun(finished):
    """A run that has stopped after two of its generations; the last line is one that was cut short."""
    finished.remove("summary.json")
    config = finished.read_json("config.json")
    finished.write_json("config.json", config | {"search": {"generations": 5}})
    lines = (round_of(0, standing="best so far: NLL 0.3 (a)"), round_of(1, standing="best so far: NLL 0.2 (b)"))
    finished.write("metrics.jsonl", ("".join(lines) + '{"gener').encode())
    return finished


def test_a_run_that_has_stopped_says_how_far_it_came_and_how_to_go_on(evoray, begun):
    assert evoray("show", begun.location).splitlines() == [
        f"{begun.location}: stopped, not finished",
        "last round done: generation 2 of 5",
        "best so far: NLL 0.2 (b)",
        f"go on with: evoray run CONFIG.toml --out {begun.location} --resume",
    ]
    found = json.loads(evoray("show", begun.location, "--json"))
    assert (found["state"], found["generations"], len(found["rounds"])) == ("stopped", 5, 2)
    assert found["go_on"].endswith("--resume") and found["holder"] == {}


def test_a_run_at_work_says_whose_it_is(evoray, begun):
    with claimed(begun):
        shown = evoray("show", begun.location)
        found = json.loads(evoray("show", begun.location, "--json"))
    assert f"running (host {socket.gethostname()} pid {os.getpid()}), not finished" in shown
    assert "go on with" not in shown and (found["state"], found["holder"]["pid"]) == ("running", os.getpid())


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        (b"", "last round done: none"),
        (b"\xff\n[]\n3\n", "last round done: none"),
        (json.dumps({"generation": 0, "kind": "parent"}).encode(), "last round done: none"),
        (json.dumps({"generation": "x" * 10**5, "standing": 3}).encode(), "last round done: none"),
        (round_of(0, standing="best \x1b[31m").encode(), r"best \x1b[31m"),
    ],
)
def test_whatever_its_rounds_say_it_is_one_screen(evoray, begun, lines, says):
    begun.write("metrics.jsonl", lines)
    shown = evoray("show", begun.location)
    assert says in shown and "\x1b" not in shown and len(shown) < 1000
