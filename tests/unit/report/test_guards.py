from __future__ import annotations

import copy

import pytest

from evoray.errors import UsageError
from evoray.report import grids
from evoray.report.finished_run import Run
from evoray.report.guards import guards

TOP1 = {"label": "Top-1 accuracy", "short": "Top-1", "unit": "fraction", "higher_is_better": True, "said": "top-1"}
GUARD = {
    "name": "fashion",
    "keep": "top1 >= parent - 0.02",
    "figure": "top1",
    "task": "image-classification",
    "counted": "images",
    "measures": {"top1": TOP1},
    "splits": {"select": 500, "test": 400},
    "judged": 9,
    "broken": 2,
    "parent": {"select": {"n": 500, "top1": 0.9}, "test": {"n": 400, "top1": 0.88}},
    "best_child": {"n": 400, "top1": 0.875},
    "soup": {"n": 400, "top1": 0.84},
    "ensemble": {"n": 400, "top1": None},
    "holds": {"best_child": True, "soup": False},
    "comparisons": [
        {"name": name, "metric": "top1", "higher_is_better": True, "difference": off, "ci95": [off - 0.02, off + 0.02],
         "p_value": 0.5, "p_adjusted": 1.0, "effect_size": None, "bootstrap_ci95": [None, None], "against": "parent"}
        for name, off in (("best_child", -0.005), ("soup", -0.04))
    ],
    "said": "",
}  # fmt: skip


def test_a_table_for_each_guard(summary, population):
    assert guards(Run.of(summary, population)) == []
    (grid,) = guards(Run.of(summary | {"guards": [GUARD]}, population))
    assert grid.title == "Guard fashion (image-classification)"
    rows = [row[1:] for row in grid.rows]
    assert rows == [
        ("88.00%", "–", "–", "–"),
        ("87.50%", "−0.50", "−2.50 to +1.50", "yes"),
        ("84.00%", "−4.00", "−6.00 to −2.00", "no"),
        ("–", "–", "–", "–"),
    ]
    assert "9 candidates were judged on 500 images of its select, 2 of them broke it" in grid.note
    assert "400 others" in grid.note and "(points)" in grid.columns[2]


def test_the_configuration_is_shown_key_by_key():
    grid = grids.settings({"seed": 0, "guard": [{"name": "x", "data": {"path": "shards/x"}}], "empty": []})
    assert grid.rows == (("seed", "0"), ("guard.0.name", "x"), ("guard.0.data.path", "shards/x"), ("empty", "–"))


@pytest.mark.parametrize("lacks", ["figure", "measures", "comparisons", "parent", "holds", "splits", "keep"])
def test_damage_is_named(lacks, summary, population):
    damaged = copy.deepcopy(GUARD)
    del damaged[lacks]
    with pytest.raises(UsageError, match=r"summary\.json: guards are damaged"):
        guards(Run.of(summary | {"guards": [damaged]}, population))


def test_children_that_break_a_guard_did_not_fail(summary, population):
    rows = population.to_pylist()
    for row in rows[:3]:
        row["status"] = "breaks guard fashion: top1 >= parent - 0.02: 0.8, the parent has 0.9"
    note = grids.children(Run.of(summary, type(population).from_pylist(rows))).note
    assert "3 break a guard and were passed over." in note and "1 failed and rank last" in note
