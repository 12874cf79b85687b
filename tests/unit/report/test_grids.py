from __future__ import annotations

from typing import Any

import pyarrow as pa

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
