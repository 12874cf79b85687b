"""The table of runs on the terminal; what does not fit beside the rest is left out, least telling first."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from rich import box
from rich.console import Console, JustifyMethod
from rich.table import Table
from rich.text import Text

from evoray.report import text
from evoray.report.measures import BEFORE, own
from evoray.runs.listing import Row
from evoray.runtime.reading import SCREEN, shown

Cell = Callable[[Row], str]
REASONS = 20
"""Damaged runs whose reason is printed."""


def _figure(network: str) -> Cell:
    def cell(row: Row) -> str:
        if network not in row.test:
            return ""
        measure = row.measure or BEFORE.get(row.fitness) or own(row.fitness)
        return measure.show(row.test[network])

    return cell


def _counted(row: Row) -> str:
    return "" if row.images is None else text.count(row.images)


COLUMNS: Mapping[str, Cell] = {
    "Run": lambda row: row.name,
    "State": lambda row: row.state,
    "Task": lambda row: row.task,
    "Network": lambda row: row.parent,
    "Fitness": lambda row: row.measure.short if row.measure else row.fitness,
    "Parent": _figure("parent"),
    "Best": _figure("best_child"),
    "Soup": _figure("soup"),
    "Ensemble": _figure("ensemble"),
    "Verdict": lambda row: row.claim,
    "Children": lambda row: "" if row.children is None else text.count(row.children),
    "Time": lambda row: "" if row.seconds is None else text.duration(row.seconds),
    "Images": _counted,
    "Date": lambda row: row.date[:16].replace("T", " "),
}
WORDS = ("Run", "State", "Task", "Network", "Fitness", "Verdict", "Date")
LEFT_OUT = ("Images", "Task", "Date", "Time", "Best", "Soup", "Network", "Children", "Fitness", "Parent")
"""In this order, as far as the terminal's width asks for it."""


def print_runs(rows: Sequence[Row], console: Console) -> None:
    """Prints the table, what it left out, and why damaged runs are."""
    left: list[str] = []
    name_width = max(24, 3 * console.width // 10)
    drawn = _table(rows, left, name_width)
    for name in LEFT_OUT:
        if console.measure(drawn, options=console.options.update(width=10_000)).maximum <= console.width:
            break
        left.append(name)
        drawn = _table(rows, left, name_width)
    console.print(drawn)
    if left:
        console.print(Text(f"Not shown at this width: {', '.join(left).lower()}; --json has all."), style="dim")
    damaged = [row for row in rows if row.reason]
    for row in damaged[:REASONS]:
        console.print(Text(f"{shown(row.name)}: {shown(row.reason, SCREEN)}"))
    if len(damaged) > REASONS:
        console.print(Text(f"and {len(damaged) - REASONS:,} more that are damaged; --json says why"))


def _table(rows: Sequence[Row], left: Sequence[str], name_width: int) -> Table:
    drawn = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    names = [name for name in COLUMNS if name not in left]
    counted = {row.counted for row in rows if row.images is not None}
    for name in names:
        head = " or ".join(sorted(counted)).capitalize() if name == "Images" and counted else name
        justify: JustifyMethod = "left" if name in WORDS else "right"
        if name == "Run":  # what one looks for and copies: folded rather than cut
            drawn.add_column(head, overflow="fold", max_width=name_width)
        else:
            drawn.add_column(head, justify=justify, no_wrap=True)
    for row in rows:
        drawn.add_row(*(Text(shown(COLUMNS[name](row), 200)) for name in names))
    return drawn
