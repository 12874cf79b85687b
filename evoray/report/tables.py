"""A run's tables on the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from evoray.report import grids
from evoray.report.blocks import blocks
from evoray.report.finished_run import Run
from evoray.report.grids import Grid
from evoray.report.guards import guards
from evoray.runtime.reading import SCREEN, shown

NOTE = 1000
"""Characters of a note that are printed."""


def print_run(summary: Mapping[str, Any], population: pa.Table, console: Console) -> None:
    """Prints verdict, networks, comparisons, evidence and the fittest children.

    Raises:
        UsageError: summary or population lacks something; names it.
    """
    run = Run.of(summary, population)
    # all of it is made before anything is printed: an error leaves no half report
    figures = (grids.networks(run), grids.comparisons(run), *guards(run))
    made = (*figures, grids.evidence(run), blocks(run), grids.children(run))
    tables = [table(grid) for grid in made if grid]
    console.print(Text(shown(run.get("verdict"), SCREEN), style="bold"))
    for note in run.notes:
        console.print(Text(shown(note, NOTE), style="dim"))
    for one in tables:
        console.print()
        console.print(one)


def table(grid: Grid) -> Table:
    """A Rich table; cells are shown as they are, whatever markup they look like."""
    drawn = Table(
        title=Text(shown(grid.title)),
        caption=Text(shown(grid.note, SCREEN)),
        box=box.SIMPLE_HEAD,
        title_justify="left",
        padding=(0, 1, 0, 0),
        pad_edge=False,
    )
    drawn.caption_justify = "left"
    for number, name in enumerate(grid.columns):
        # a child's id is what one copies, and a parent's name what one looks for: never cut, however wide the terminal
        drawn.add_column(
            Text(shown(name)),
            justify="left" if number < grid.words else "right",
            no_wrap=name in ("Child", "Part", "Parent"),
            overflow="fold",
        )
    for row in grid.rows:
        drawn.add_row(*(Text(shown(cell)) for cell in row))
    return drawn
