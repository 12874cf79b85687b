from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from evoray.report import grids
from evoray.report.finished_run import Run
from evoray.report.measures import BEFORE
from evoray.statistics import Comparison


def test_networks_are_in_order_with_their_test_figures(summary: dict[str, Any], population: pa.Table) -> None:
    rows = grids.networks(Run.of(summary, population)).rows
    assert [row[0].split(" ")[0] for row in rows] == ["Parent", "Best", "Soup", "Ensemble"]
    assert rows[0][1:] == ("0.2423", "92.80%", "99.81%", "0.0121", "0.1100")


def test_a_soup_that_is_the_parent_says_so(summary: dict[str, Any], population: pa.Table) -> None:
    run = Run.of(summary | {"soup": summary["soup"] | {"id": "parent"}}, population)
    assert run.label("soup") == "Soup (none beat the parent)"


def test_accuracy_is_in_points_and_read_like_the_verdict() -> None:
    one = Comparison("soup", "top1", 0.0095, (0.0018, 0.0177), 0.022)
    assert grids.difference(one, BEFORE["top1"]) == ("+0.95", "+0.18 to +1.77", "0.022")
    assert one.effect == "better"


def test_children_are_ranked_and_only_members_have_test_figures(summary: dict[str, Any], population: pa.Table) -> None:
    grid = grids.children(Run.of(summary, population))
    assert [row[0] for row in grid.rows] == [str(rank) for rank in range(1, 11)]
    assert [row[2] for row in grid.rows] == ["yes"] * 8 + [""] * 2
    assert all((row[7] == "–") == (row[2] == "") for row in grid.rows)
    assert "1 failed" in grid.note and "NaN" in grid.note


def test_a_child_of_a_block_says_which(summary: dict[str, Any], population: pa.Table) -> None:
    count = population.num_rows
    layered = population.append_column("blocks", pa.array([4] * count))
    layered = layered.append_column("block", pa.array([3] * (count - 1) + [None], pa.int64()))
    grid = grids.children(Run.of(summary, layered))
    assert grid.columns[3:6] == ("Block", "Part", "Sigma")
    assert {row[3] for row in grid.rows} == {"4/4"}


def test_settings_are_dotted_and_nothing_is_invented(config: dict[str, Any]) -> None:
    rows = {row[0]: row[1] for row in grids.settings(config).rows}
    assert rows["mutation.sigma"] == "0.1" and rows["mutation.include"] == "*"
    assert rows["mutation.exclude"] == "–" and "data.test_path" not in rows


def test_switched_off_determinism_is_told(summary: dict[str, Any], population: pa.Table) -> None:
    assert grids.work(Run.of(summary, population)).note == ""
    loose = summary | {"work": summary["work"] | {"deterministic": False}}
    assert "last bits" in grids.work(Run.of(loose, population)).note


def test_work_is_called_what_it_is(summary: dict[str, Any], population: pa.Table) -> None:
    work = summary["work"] | {"evaluations": 4321, "units": 87, "retries": 6, "repeated": 5}
    rows = dict(grids.work(Run.of(summary | {"work": work}, population)).rows)
    assert rows["Evaluations (child × shard)"] == "4,321"
    assert rows["Units handed to workers"] == "87"
    assert rows["Units lost with a worker, done again"] == "6"
    assert rows["Units late, done twice"] == "5"


def test_what_an_older_run_did_not_count_is_no_number(summary: dict[str, Any], population: pa.Table) -> None:
    work = {key: value for key, value in summary["work"].items() if key not in ("evaluations", "repeated")}
    rows = dict(grids.work(Run.of(summary | {"work": work}, population)).rows)
    assert rows["Evaluations (child × shard)"] == rows["Units late, done twice"] == "–"


SHORT = {"cost": "Cost", "macro-f1": "Macro F1", "worst-class": "Worst class", "mine:auc": "auc", "nll": "NLL"}
SHORT |= {"top1": "Top-1", "brier": "Brier"}


@pytest.mark.parametrize("fitness", SHORT)
def test_the_runs_fitness_is_the_first_column_by_its_name(fitness, run_for) -> None:
    run = run_for(fitness)
    grid = grids.networks(run)
    assert grid.columns[1] == SHORT[fitness] and len(set(grid.columns)) == len(grid.columns)
    assert f"The search was to improve {run.main.described}." in grid.note
    lower = ("NLL", "ECE", "Brier", "cost")
    assert all((word in grid.note) == (fitness == "cost" or word != "cost") for word in lower)


@pytest.mark.parametrize(
    ("fitness", "parent", "soup"),
    [("cost", "0.2500", "0.2000"), ("macro-f1", "25.00%", "30.00%"), ("mine:auc", "0.2500", "0.3000")],
)
def test_every_network_has_its_fitness_on_test_in_its_own_direction(fitness, parent, soup, run_for) -> None:
    rows = grids.networks(run_for(fitness)).rows
    assert [row[1] for row in rows] == [parent, soup, soup, soup]


@pytest.mark.parametrize(
    ("fitness", "first", "words"),
    [
        ("cost", ("Cost", "−0.0500", "−0.0800 to −0.0200"), "Cost per image (jackknife over groups of images), NLL in"),
        ("macro-f1", ("Macro F1", "+5.00", "+2.00 to +8.00"), "Macro F1 in percentage points (jackknife"),
        ("mine:auc", ("auc", "+0.0500", "+0.0200 to +0.0800"), "auc (jackknife"),
    ],
)
def test_a_difference_is_in_the_direction_that_people_know(fitness, first, words, run_for) -> None:
    grid = grids.comparisons(run_for(fitness))
    assert grid.rows[0][1:4] == first and grid.rows[0][-1] == "better"
    assert (
        words in grid.note and "NLL in nats per image (t-test), Top-1 in percentage points (exact McNemar" in grid.note
    )


@pytest.mark.parametrize(
    ("fitness", "columns", "first"),
    [
        ("nll", ("Select NLL", "Select top-1", "Test NLL", "Test top-1"), None),
        ("top1", ("Select top-1", "Select NLL", "Test top-1", "Test NLL"), None),
        ("cost", ("Select cost", "Select NLL", "Test cost", "Test NLL"), "0.3000"),
        ("macro-f1", ("Select macro F1", "Select NLL", "Test macro F1", "Test NLL"), "30.00%"),
        ("mine:auc", ("Select auc", "Select NLL", "Test auc", "Test NLL"), "0.3000"),
    ],
)
def test_children_are_listed_by_the_runs_fitness(fitness, columns, first, run_for) -> None:
    run = run_for(fitness)
    grid = grids.children(run, limit=60)
    assert grid.columns[-4:] == columns and grid.title.endswith(f"children by {run.main.said}")
    assert run.main.described in grid.note
    if first is not None:  # of a child that was drawn by chance
        assert next(row for row in grid.rows if row[1] == "g0000/c0001")[-2] == first


@pytest.mark.parametrize("fitness", SHORT)
def test_a_run_without_an_ensemble_has_its_tables(fitness, run_for) -> None:
    run = run_for(fitness, ensemble=False)
    assert [row[0].split()[0] for row in grids.networks(run).rows] == ["Parent", "Best", "Soup"]
    assert {row[2] for row in grids.children(run).rows} == {""} and grids.comparisons(run).rows
