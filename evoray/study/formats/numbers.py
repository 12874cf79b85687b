"""A study's tables as CSV, for programs."""

import csv
import io
import re

from evoray.report import text
from evoray.report.grids import Grid
from evoray.runtime.reading import shown
from evoray.study.cells import ENDS, Figures

UNDEFINED = ("", text.NOTHING, "nan", "nan%")


def table_csv(grid: Grid) -> str:
    """A grid for programs: numbers in ASCII without units or thousands, each of a cell's in a column of its own."""
    sink = io.StringIO()
    columns = [_column(grid, at) for at in range(len(grid.columns))]
    csv.writer(sink, lineterminator="\n").writerows(
        [cell for column in columns for cell in column[at]] for at in range(len(grid.rows) + 1)
    )
    return sink.getvalue()


def _column(grid: Grid, at: int) -> list[list[str]]:
    """Heading and cells of a column, each as the cells that it takes."""
    name, cells = grid.columns[at], [row[at] for row in grid.rows]
    if at < grid.words:
        return [[shown(cell, 6 * len(cell) + 3)] for cell in (name, *cells)]
    kinds = [cell.kind for cell in cells if isinstance(cell, Figures)]
    ends = ENDS[kinds[0]] if kinds else ()
    parts = [[*(cell.parts if isinstance(cell, Figures) else (cell, *("",) * len(ends)))] for cell in cells]
    said = [one for row in parts for one in row if one not in UNDEFINED]
    percent = bool(said) and all(one.endswith("%") for one in said)
    heads = [name, *(f"{name} {end}" for end in ends)]
    return [
        [f"{head} (%)" if percent else head for head in heads],
        *([_number(one, percent) for one in row] for row in parts),
    ]


def _number(cell: str, percent: bool) -> str:
    """``−1,234.5%`` as ``-1234.5``; what is no number as it is."""
    if cell in UNDEFINED:
        return ""
    plain = cell.replace("−", "-").replace(",", "").removesuffix("%" if percent else "")
    return plain if re.fullmatch(r"[+-]?\d+(\.\d+)?%?", plain) else cell
