from __future__ import annotations

import re
from typing import Any

import pyarrow as pa
import pytest

from evoray.errors import UsageError
from evoray.report.finished_run import COLUMNS, FIGURES, Run


@pytest.fixture
def run(summary: dict[str, Any], population: pa.Table) -> Run:
    return Run.of(summary, population)


def test_children_are_rows_of_the_columns_that_are_shown(run: Run, population: pa.Table) -> None:
    assert len(run.children) == population.num_rows
    assert [name for name in run.children[0] if not name.startswith(FIGURES)] == [*COLUMNS, "parts", "part", "sigma"]
    assert "select_fitness" in run.children[0]


def test_another_kind_of_mutation_has_other_columns(summary: dict[str, Any], population: pa.Table) -> None:
    children = Run.of(summary, population.drop_columns(["parts", "part"])).children
    assert [name for name in children[0] if not name.startswith(FIGURES)] == [*COLUMNS, "sigma"]
    layered = population.append_column("blocks", pa.array([4] * population.num_rows))
    layered = layered.append_column("block", pa.array([i % 4 for i in range(population.num_rows)]))
    shown = [name for name in Run.of(summary, layered).children[0] if not name.startswith(FIGURES)]
    assert set(shown) == {*COLUMNS, "blocks", "block", "parts", "part", "sigma"}


def test_every_missing_column_is_named(summary: dict[str, Any], population: pa.Table) -> None:
    with pytest.raises(UsageError, match=r"population\.parquet: no column rank, status\. .*--resume"):
        Run.of(summary, population.drop_columns(["status", "rank"]))


@pytest.mark.parametrize(
    "keys", [("absent",), ("parent", "absent"), ("run_id", "absent"), ("parent", "test", "absent")]
)
def test_what_is_missing_is_named_by_its_path(keys, run: Run) -> None:
    with pytest.raises(UsageError, match=rf"summary\.json: no {re.escape('.'.join(keys))}\. Take the file"):
        run.get(*keys)


def test_a_value_is_found_by_its_path(run: Run, summary: dict[str, Any]) -> None:
    assert run.get("parent", "test", "nll") == run.number("parent", "test", "nll") == 0.2423
    assert run.get("splits") is summary["splits"]


@pytest.mark.parametrize("value", ["0.5", float("nan"), float("inf"), [], {}])
def test_what_is_no_number_is_named(value, summary: dict[str, Any], population: pa.Table) -> None:
    run = Run.of(summary | {"soup": summary["soup"] | {"nll": value}}, population)
    with pytest.raises(UsageError, match=r"summary\.json: soup\.nll is .*, not a number"):
        run.test("soup", "nll")


def test_what_a_run_could_not_define_is_none(summary: dict[str, Any], population: pa.Table) -> None:
    run = Run.of(summary | {"soup": summary["soup"] | {"nll": None}}, population)
    assert run.test("soup", "nll") is None and run.test("parent", "nll") == 0.2423


def test_of_an_optional_section_the_numbers_are_taken(summary: dict[str, Any], population: pa.Table) -> None:
    summary["work"] |= {"none": None}
    run = Run.of(summary, population)
    found = run.recorded("work")
    assert found["units"] == 240 and found["none"] is None
    assert not {"backend", "deterministic", "stages"} & set(found)
    assert run.recorded("absent") == run.recorded("run_id") == {}
    assert run.section("ensemble", "diversity", "pairs") != {} and run.section("ensemble", "absent", "pairs") == {}
    assert run.section("run_id") == run.section("run_id", "deeper") == {}


def test_a_recalibrated_soup_is_there_when_it_is(run: Run, summary: dict[str, Any], population: pa.Table) -> None:
    assert run.networks == ["parent", "best_child", "soup", "ensemble"]
    more = Run.of(summary | {"soup_recalibrated": summary["soup"]}, population)
    assert more.networks == ["parent", "best_child", "soup", "soup_recalibrated", "ensemble"]


def test_labels_say_who(run: Run, summary: dict[str, Any], population: pa.Table) -> None:
    assert run.label("parent") == "Parent"
    assert run.label("best_child") == f"Best child {summary['best_child']['id']}"
    assert run.label("soup") == "Soup g0001/soup05"
    assert run.label("ensemble") == "Ensemble of 8"
    assert run.label("mine") == "mine"


def test_comparisons_are_found_by_network_and_measure(run: Run, summary: dict[str, Any]) -> None:
    assert [one.to_dict() for one in run.comparisons] == summary["comparisons"]
    found = run.comparison("soup", "top1")
    assert found is not None and (found.name, found.metric) == ("soup", "top1")
    assert run.comparison("soup", "top5") is run.comparison("mine", "nll") is None


def test_a_comparison_with_the_calibrated_parent_is_another(summary: dict[str, Any], population: pa.Table) -> None:
    summary["comparisons"] = [one | {"against": "parent_calibrated"} for one in summary["comparisons"]]
    assert Run.of(summary, population).comparison("soup", "nll") is None


@pytest.mark.parametrize("members", [None, "g0000/c0000", {}, [7], [{"weight": 1.0}]])
def test_members_that_are_no_records_are_named(members, summary: dict[str, Any], population: pa.Table) -> None:
    run = Run.of(summary | {"ensemble": {"members": members}}, population)
    with pytest.raises(UsageError, match=r"ensemble\.members"):
        _ = run.members


def test_members_and_curve_are_in_their_order(run: Run, summary: dict[str, Any], population: pa.Table) -> None:
    assert run.members == [member["id"] for member in summary["ensemble"]["members"]]
    assert [point["size"] for point in run.curve] == list(range(1, 9))
    assert Run.of(summary | {"ensemble": {"members": []}}, population).curve == []


def test_reliability_is_of_known_networks(run: Run, summary: dict[str, Any], population: pa.Table) -> None:
    assert set(run.reliability) == {"parent", "ensemble"}
    more = summary["reliability"] | {"mine": summary["reliability"]["parent"]}
    assert set(Run.of(summary | {"reliability": more}, population).reliability) == {"parent", "ensemble"}
    assert Run.of(summary | {"reliability": None}, population).reliability == {}


def test_what_a_run_was_to_improve_is_nll_unless_it_is_recorded(run: Run, summary, population) -> None:
    assert run.fitness == "nll"
    assert Run.of(summary | {"fitness": "top5"}, population).fitness == "top5"
    del summary["fitness"]
    assert Run.of(summary, population).fitness == "nll"


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("notes", "one", "notes are no list"),
        ("notes", 3, "notes are no list"),
        ("comparisons", 3, "comparisons are no"),
    ],
)
def test_lists_that_are_none_are_named(key, value, words, summary, population) -> None:
    run = Run.of(summary | {key: value}, population)
    with pytest.raises(UsageError, match=rf"summary\.json: {words}"):
        getattr(run, key)


@pytest.mark.parametrize("sample", [None, 3, "x", [3], [{}], [{"id": "g0000/c0000"}]])
def test_a_sample_of_another_shape_tells_nothing(sample, run_for) -> None:
    run = run_for("cost")
    other = Run(dict(run.summary) | {"children": {"sample": sample}}, run.children)
    assert other.child(run.children[0], "test", other.main) is None
    assert other.child(run.children[0], "select", other.main) == 0.25


@pytest.mark.parametrize(
    ("fitness", "beside"), [("nll", "top1"), ("top1", "nll"), ("cost", "nll"), ("mine:auc", "nll"), ("brier", "nll")]
)
def test_beside_the_fitness_stands_the_first_other_figure_that_was_compared(fitness, beside, run_for) -> None:
    run = run_for(fitness)
    assert run.main.key == next(iter(run.measures)) == fitness and run.beside.key == beside


@pytest.mark.parametrize("fitness", ["cost", "macro-f1", "mine:auc"])
def test_the_parents_fitness_on_select_is_in_its_own_direction(fitness, run_for) -> None:
    run = run_for(fitness)
    assert run.parent_on_select(run.main) == 0.25
    older = {key: value for key, value in run.summary.items() if key != "measures"}
    parent = older["parent"].items()
    older["parent"] = {split: {k: v for k, v in figures.items() if k != fitness} for split, figures in parent}
    assert Run(older, run.children).parent_on_select(run.main) == 0.25
    assert Run(older, run.children).test("soup", fitness) is None
