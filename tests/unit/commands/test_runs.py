from __future__ import annotations

import json

import pytest

from evoray.errors import RunError, UsageError
from evoray.runs.compare import compare_runs


@pytest.fixture
def two(finished, tmp_path):
    """Two runs of files alone, of which neither kept scores of single records."""
    import shutil

    shutil.copytree(tmp_path / "run", tmp_path / "again")
    return [str(tmp_path / "run"), str(tmp_path / "again")]


def test_runs_in_a_table_and_for_machines(evoray, two, tmp_path):
    shown = evoray("runs", tmp_path)
    assert "again" in shown and "resnet50" in shown and "improved" in shown
    found = json.loads(evoray("runs", tmp_path, "--json", "--sort", "name"))
    assert [one["name"] for one in found["runs"]] == ["again", "run"] and found["runs"][0]["state"] == "finished"


def test_no_runs(evoray, tmp_path):
    assert evoray("runs", tmp_path) == f"{tmp_path}: no runs in it, nor up to 3 folders below.\n"
    assert json.loads(evoray("runs", tmp_path, "--json"))["runs"] == []


def test_compare_prints_tables_and_says_why_nothing_is_paired(evoray, two):
    shown = evoray("compare", *two)
    assert "again and run are not compared: " in shown and "Recipes and cost" in shown
    assert "Every key is the same." in shown and "page:" not in shown
    found = json.loads(evoray("compare", *two, "--json"))
    assert found == compare_runs(two).to_dict() and found["comparisons"] == []
    turned = json.loads(evoray("compare", *two, "--against", two[1], "--json"))
    assert [one["name"] for one in turned["runs"]] == ["again", "run"]
    assert [one["against"] for one in turned["not_compared"]] == ["again"]


def test_compare_writes_a_page_once(evoray, two, tmp_path):
    page = tmp_path / "page.html"
    assert json.loads(evoray("compare", *two, "--out", page, "--json"))["page"] == str(page)
    assert page.read_text().startswith("<!DOCTYPE html>")
    with pytest.raises(UsageError, match=r"exists\. Name another file, or replace it with --overwrite"):
        evoray("compare", *two, "--out", page)
    assert "page: " in evoray("compare", *two, "--out", page, "--overwrite")
    assert not list(tmp_path.glob("*.part"))


@pytest.mark.parametrize(
    ("out", "says"),
    [("page.pdf", "name an .html file"), ("nowhere/page.html", "no folder"), ("folder.html", "exists")],
)
def test_a_page_that_cannot_be_is_refused_before_anything_is_read(evoray, tmp_path, out, says):
    (tmp_path / "folder.html").mkdir()
    with pytest.raises(UsageError, match=says):
        evoray("compare", tmp_path / "absent", tmp_path / "none", "--out", tmp_path / out)


def test_a_disk_that_is_full_leaves_nothing(evoray, two, tmp_path, monkeypatch):
    monkeypatch.setattr("os.replace", lambda *paths: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(RunError, match=r"page\.html: cannot be written"):
        evoray("compare", *two, "--out", tmp_path / "page.html")
    assert not list(tmp_path.glob("page*"))


@pytest.mark.parametrize(("arguments", "says"), [(["run"], "two runs"), (["run", "absent"], "no run in it")])
def test_refusals(evoray, finished, tmp_path, arguments, says):
    with pytest.raises(UsageError, match=says):
        evoray("compare", *(tmp_path / one for one in arguments))
