from __future__ import annotations

import json

import pytest

from evoray.errors import UsageError


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
