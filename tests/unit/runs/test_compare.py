from __future__ import annotations

import pytest

from evoray.errors import UsageError
from evoray.report import text
from evoray.runs.compare import _names, compare_runs


def test_only_what_differs_in_the_configuration(made):
    found = compare_runs([str(made / "a"), str(made / "b")])
    assert found.to_dict()["configuration"] == [{"key": "mutation.sigma", "values": {"a": "0.5", "b": "0.05"}}]


def test_a_document_holds_what_the_summaries_say(made):
    found = compare_runs([str(made / "a"), str(made / "b")])
    document = found.to_dict()
    for one, named in zip(document["runs"], found.runs, strict=True):
        assert one["verdict"] == named.run.summary["verdict"] and one["task"] == "image-classification"
        assert one["networks"]["soup"]["test"]["nll"] == named.run.summary["soup"]["nll"]
        assert one["from_parent"] == named.run.summary["comparisons"]
    assert document["not_compared"] == [] and found.remarks == []
    assert {one["run"] for one in document["comparisons"]} == {"b"} and document["comparisons"][0]["n"] == 48


def test_tables_show_each_run_with_its_own_interval(made):
    found = compare_runs([str(made / "a"), str(made / "b")])
    titles = [grid.title for grid in found.grids]
    assert titles[0] == "Difference from a" and titles[-2:] == ["Configuration", "Recipes and cost"]
    figures = found.grids[1]
    assert [line[0] for line in figures.rows] == ["a"] * 4 + ["b"] * 4
    assert figures.rows[0][2] == text.nats(found.runs[0].run.summary["parent"]["test"]["nll"])
    assert " to " in figures.rows[3][4] and figures.rows[0][3:] == ("", "", "")
    assert {line[0]: line[1:] for line in found.grids[-1].rows}["Members of the ensemble"] == ("2", "2")


def test_what_is_not_paired_is_shown_without_a_comparison(made):
    found = compare_runs([str(made / "a"), str(made / "other")])
    assert found.grids[0].title.startswith("NLL on test")
    assert found.remarks[0].startswith("other and a are not compared: test records differ")
    document = found.to_dict()
    assert document["comparisons"] == [] and document["not_compared"][0]["run"] == "other"


def test_another_fitness_is_shown_in_a_table_of_its_own(finished, made):
    finished.write_json("summary.json", finished.read_json("summary.json") | {"fitness": "top1"})
    found = compare_runs([finished.location, str(made / "a")])
    titles = [grid.title.partition(" on ")[0] for grid in found.grids[:4]]
    assert titles == ["Top-1 accuracy", "NLL", "NLL", "Top-1 accuracy"]
    assert "fitness differs: 'nll' and 'top1'" in found.remarks[0]


@pytest.mark.parametrize(
    ("locations", "names"),
    [
        (["/x/a", "/x/b/"], ["a", "b"]),
        (["/x/a/run", "/x/b/run"], ["a/run", "b/run"]),
        (["s3://key:secret@bucket/a/run?endpoint_override=x", "/y/run"], ["a/run", "y/run"]),
    ],
)
def test_names_are_as_short_as_tells_them_apart(locations, names):
    assert _names(locations) == names


def test_one_place_by_two_paths_is_refused(made):
    with pytest.raises(UsageError, match="named twice"):
        compare_runs([str(made / "a"), str(made / "b" / ".." / "a")])


def test_an_unfinished_run_is_refused_with_the_way_on(runs):
    (runs / "b" / "summary.json").unlink()
    with pytest.raises(UsageError, match=r"this run is stopped and has not finished.*Leave it out, or.*--resume\."):
        compare_runs([str(runs / "a"), str(runs / "b")])


def test_a_key_that_is_newer_than_a_run_is_no_difference(runs):
    import json

    path = runs / "b" / "config.json"
    config = json.loads(path.read_text())
    del config["task"], config["soup"], config["mutation"]["kind"]
    path.write_text(json.dumps(config))
    found = compare_runs([str(runs / "a"), str(runs / "b")])
    assert [one["key"] for one in found.to_dict()["configuration"]] == ["mutation.sigma"]
    assert found.to_dict()["not_compared"] == []


def test_others_are_compared_with_the_one_that_is_named(made, monkeypatch):
    monkeypatch.chdir(made)
    for given, against, first, others in (
        (["a", "b"], "b", "b", ["a"]),
        (["a", "b"], str(made / "b"), "b", ["a"]),
        (["a"], "./b/", "b", ["a"]),
        (["a", "b"], "other", "other", ["a", "b"]),
    ):
        found = compare_runs(given, against)
        assert found.first == first and [one.name for one in found.runs[1:]] == others
        assert {one["against"] for one in found.to_dict()["comparisons"]} <= {first}
    forth, back = compare_runs(["a", "b"]), compare_runs(["a", "b"], "b")
    ours, theirs = (one.to_dict()["comparisons"] for one in (forth, back))
    assert [one["difference"] for one in ours] == pytest.approx([-one["difference"] for one in theirs])
    with pytest.raises(UsageError, match="two runs or more"):
        compare_runs(["a"], "a")
