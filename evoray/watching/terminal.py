"""A view as Rich draws it: at 80 columns and more, and no word broken but one that is longer than a line."""

from dataclasses import replace

from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from evoray.report.grids import Grid
from evoray.report.tables import table
from evoray.runtime.reading import shown
from evoray.watching.page import blocks_grid, top_grid
from evoray.watching.view import View, best_line, learned_line, stage_line, state_line, workers_line
from evoray.watching.words import about

ROWS, NOTES = 5, 3
"""Of the fittest, and of what the run said last."""


def drawn(view: View) -> RenderableType:
    """All of it, in about 24 lines."""
    parts: list[RenderableType] = [Text(shown(view.location, 400), style="bold", overflow="fold"), _facts(view)]
    if (fittest := top_grid(view)) is not None:
        parts.append(_top(fittest))
    if (blocks := blocks_grid(view)) is not None and len(blocks.rows) <= ROWS:
        parts.append(_top(blocks))
    parts += [Text(shown(note, 400), style="dim") for note in list(view.live.get("notes", ()))[-NOTES:]]
    return Group(*parts)


def _facts(view: View) -> Table:
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    table.add_row("state", Text(state_line(view)))
    if view.verdict:
        table.add_row("verdict", Text(shown(view.verdict, 1000)))
    stage = view.live.get("stage")
    if stage and not view.is_over:
        table.add_row("", ProgressBar(total=max(1, stage["total"]), completed=stage["done"], width=40))
    for name, said in _lines(view):
        if said:
            table.add_row(name, Text(said))
    return table


def _lines(view: View) -> list[tuple[str, str]]:
    left, done = view.search_left_s, view.done_children
    children = "" if done is None else f"{done:,} of {view.asked_children or 0:,} in rounds that are done"
    return [
        ("stage", stage_line(view)),
        ("children", children + (f", {failed:,} failed" if (failed := view.live.get("failed")) else "")),
        ("search", f"about {about(left)} left" if left is not None else ""),
        ("best", best_line(view)),
        ("workers", workers_line(view)),
        ("learned", learned_line(view)),
    ]


def _top(grid: Grid) -> RenderableType:
    return table(replace(grid, title="", note="", rows=grid.rows[:ROWS]))
