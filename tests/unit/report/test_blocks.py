from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from evoray.report.blocks import blocks
from evoray.report.finished_run import Run


def layered(population: pa.Table, of: int, block: list[int | None]) -> pa.Table:
    count = population.num_rows
    numbers = (block * count)[:count]
    found = population.append_column("blocks", pa.array([of] * count))
    return found.append_column("block", pa.array(numbers, pa.int64()))


def test_runs_of_other_kinds_have_no_blocks(summary: dict[str, Any], population: pa.Table) -> None:
    assert blocks(Run.of(summary, population)) is None


def test_every_child_counts_in_its_block(summary: dict[str, Any], population: pa.Table) -> None:
    run = Run.of(summary, layered(population, 4, [0, 1, 1, 3]))
    grid = blocks(run)
    assert grid is not None and grid.columns == ("Block", "Weights", "Children", "Best gain", "Better than parent")
    counts = [sum(row["block"] == block for row in run.children) for block in range(4)]
    assert [row[:3] for row in grid.rows] == [(f"{n + 1}/4", "25.00%", str(count)) for n, count in enumerate(counts)]
    assert grid.rows[2][3:] == ("–", "–")


def test_gains_are_the_best_childs_over_the_parent(summary: dict[str, Any], population: pa.Table) -> None:
    run = Run.of(summary, layered(population, 2, [0, 1]))
    parent = run.parent_on_select(run.main)
    grid = blocks(run)
    assert grid is not None and parent is not None
    for block, row in enumerate(grid.rows):
        values = [run.child(one, "select", run.main) for one in run.children if one["block"] == block]
        gains = [run.main.sign * (value - parent) * run.main.factor for value in values if value is not None]
        assert float(row[3].replace("\u2212", "-")) == pytest.approx(max(gains), abs=1e-4)
        assert float(row[4].rstrip("%")) == pytest.approx(100 * sum(gain > 0 for gain in gains) / len(gains), abs=0.01)


@pytest.mark.parametrize(
    ("prices", "shown"),
    [
        ([1.0, 0.05], ["100.00%", "5.00%"]),
        ([1.0], None),
        ("many", None),
        ([1.0, None], None),
        (None, None),
    ],
)
def test_prices_are_shown_where_the_run_has_one_for_each(
    summary: dict[str, Any], population: pa.Table, prices: Any, shown: list[str] | None
) -> None:
    told = summary | {"mutation": {**summary.get("mutation", {}), "prices": prices}}
    grid = blocks(Run.of(told, layered(population, 2, [0, 1])))
    assert grid is not None
    assert ("Price" in grid.columns, "Price" in grid.note) == (shown is not None,) * 2
    if shown:
        assert [row[-1] for row in grid.rows] == shown


def test_an_older_run_that_says_nothing_of_its_parent_has_no_gain(
    summary: dict[str, Any], population: pa.Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Run, "parent_on_select", lambda *_: None)
    grid = blocks(Run.of(summary, layered(population, 2, [0, 1])))
    assert grid is not None and {row[3] for row in grid.rows} == {"–"}
