"""Names of users are shown letter by letter, whatever markup of matplotlib, Rich or HTML they look like."""

from __future__ import annotations

import html
import io
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pytest
from rich.console import Console

from evoray.report import grids
from evoray.report.figures import differences, population
from evoray.report.finished_run import Run
from evoray.report.tables import print_run, table

MATHS = ("$x_1^2$", r"$\frac{", "cost_a^b", r"\alpha", "_hidden")
NAMES = (*MATHS, "[red]", "[/bold]", "[link=http://x]a", "<b>&amp;", ":bug:")


def run_of(summary: dict[str, Any], population: pa.Table, name: str) -> Run:
    """A run whose fitness, networks and children have that name."""
    measure = {"label": name, "short": name, "unit": name, "higher_is_better": False, "said": name}
    summary |= {"fitness": "nll", "measures": {**summary.get("measures", {}), "nll": measure}}
    summary["comparisons"] = [one for one in summary["comparisons"] if one["metric"] == "nll"]
    summary["comparisons"][0]["name"] = name
    rows = population.to_pylist()
    rows[0] |= {"child_id": name, "status": "failed: " + name}
    return Run.of(summary, pa.Table.from_pylist(rows))


@pytest.mark.parametrize("name", NAMES)
def test_in_figures(summary: dict[str, Any], population: pa.Table, name: str) -> None:
    run = run_of(summary, population, name)
    for figure in (differences(run), _population(run)):
        assert figure is not None and name in html.unescape(figure)


_population: Callable[[Run], str | None] = population


@pytest.mark.parametrize("name", NAMES)
def test_on_the_terminal(summary: dict[str, Any], population: pa.Table, name: str) -> None:
    run = run_of(summary, population, name)
    console = Console(file=io.StringIO(), width=400, force_terminal=True, color_system="truecolor")
    for grid in (grids.networks(run), grids.comparisons(run), grids.children(run)):
        console.print(table(grid))
    print_run({**summary, "verdict": name, "notes": [name]}, population, console)
    drawn = console.file.getvalue()  # type: ignore[attr-defined]
    assert drawn.count(name) >= 8
    assert "\x1b[31m" not in drawn and "\x1b]8;" not in drawn
