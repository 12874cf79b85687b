"""The table of runs on the terminal; what does not fit beside the rest is left out, least telling first."""

from collections.abc import Callable, Mapping, Sequence

from rich.console import Console
from rich.text import Text

from evoray.report import text
from evoray.report.measures import BEFORE, own
from evoray.report.tables import Fitted, sentence
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
    drawn = _table(rows, left)
    while not drawn.is_whole_in(console.width) and len(left) < len(LEFT_OUT):
        left.append(LEFT_OUT[len(left)])
        drawn = _table(rows, left)
    if not drawn.is_whole_in(console.width):  # names that fill the line: each run has lines of its own, with all of it
        left, drawn = [], _table(rows, [])
    console.print(drawn, crop=False)
    if left:
        said = f"Not shown at this width: {', '.join(left).lower()}; --json has all."
        console.print(sentence(said, console.width, "dim"), crop=False)
    damaged = [row for row in rows if row.reason]
    for row in damaged[:REASONS]:
        console.print(sentence(f"{shown(row.name)}: {shown(row.reason, SCREEN)}", console.width), crop=False)
    if len(damaged) > REASONS:
        console.print(Text(f"and {len(damaged) - REASONS:,} more that are damaged; --json says why"))


def _table(rows: Sequence[Row], left: Sequence[str]) -> Fitted:
    names = [name for name in COLUMNS if name not in left]
    counted = {row.counted for row in rows if row.images is not None}
    heads = [" or ".join(sorted(counted)).capitalize() if name == "Images" and counted else name for name in names]
    cells = [[shown(COLUMNS[name](row), 200) for name in names] for row in rows]
    return Fitted("", heads, cells, [name in WORDS for name in names], [True] * len(names))
