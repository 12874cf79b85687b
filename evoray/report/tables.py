"""A run's tables on the terminal."""

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from rich import box
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
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
    console.print(sentence(shown(run.get("verdict"), SCREEN), console.width, "bold"), crop=False)
    for note in run.notes:
        console.print(sentence(shown(note, NOTE), console.width, "dim"), crop=False)
    for one in tables:
        console.print()
        console.print(one, crop=False)


def table(grid: Grid) -> RenderableType:
    """A table of a grid in which no word is broken; cells are shown as they are, whatever markup they look like."""
    heads = [shown(name) for name in grid.columns]
    # a child's id is what one copies, and a parent's name what one looks for: on one line where there is room
    whole = [name in ("Child", "Part", "Parent") for name in grid.columns]
    rows = [[shown(cell) for cell in row] for row in grid.rows]
    left = [number < grid.words for number in range(len(heads))]
    return Fitted(shown(grid.title), heads, rows, left, whole, shown(grid.note, SCREEN))


@dataclass(frozen=True)
class Fitted:
    """A table of columns that are as wide as their longest word at least; where these have no room, a list of rows.
    It is printed with ``crop=False``, so that a path which is longer than a line stays one.

    left: columns that are set to the left. whole: those whose cells stay on one line where there is room.
    """

    title: str
    heads: Sequence[str]
    rows: Sequence[Sequence[str]]
    left: Sequence[bool]
    whole: Sequence[bool]
    note: str = ""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        width = options.max_width
        found = self._widths(width - 2 * len(self.heads))
        if found is None:
            yield from (Text(line, no_wrap=True, overflow="ignore") for line in self._listed(width))
        else:
            yield self._table(found)

    def _widths(self, room: int) -> list[int] | None:
        """Of each column, so that all are in ``room`` characters; None where their longest words are not."""
        columns, most = self._columns(), self._most()
        least = [max((cell_len(word) for cell in column for word in cell.split()), default=1) for column in columns]
        firm = [full if whole else one for one, full, whole in zip(least, most, self.whole, strict=True)]
        widths = firm if sum(firm) <= room else least
        if sum(widths) > room:
            return None
        while sum(widths) < min(room, sum(most)):
            narrow = min((width, number) for number, width in enumerate(widths) if width < most[number])[1]
            widths[narrow] += 1
        return widths

    def is_whole_in(self, width: int) -> bool:
        """Whether no cell has to be broken into lines in so many characters."""
        return sum(self._most()) + 2 * len(self.heads) <= width

    def _columns(self) -> list[list[str]]:
        return [[head, *cells] for head, *cells in zip(self.heads, *self.rows, strict=True)]

    def _most(self) -> list[int]:
        return [max(map(cell_len, column)) for column in self._columns()]

    def _table(self, widths: Sequence[int]) -> Table:
        drawn = Table(
            title=Text(self.title) if self.title else None,
            caption=Text(self.note) if self.note else None,
            box=box.SIMPLE_HEAD,
            title_justify="left",
            caption_justify="left",
            padding=(0, 1, 0, 0),
            pad_edge=False,
        )
        for head, left, width in zip(self.heads, self.left, widths, strict=True):
            drawn.add_column(Text(head), justify="left" if left else "right", width=width)
        for row in self.rows:
            drawn.add_row(*map(Text, row))
        return drawn

    def _listed(self, width: int) -> Iterator[str]:
        """Each row as lines of its own: the first cell, and below it the others with their headings."""
        yield from unbroken(self.title, width)
        before = None
        for first, *others in self.rows:
            yield ""
            if first != before:
                yield from unbroken(first, width)
            before = first
            for head, cell in zip(self.heads[1:], others, strict=True):
                if cell:
                    yield from (f"  {line}" for line in unbroken(f"{head}: {cell}", width - 2))
        if self.note:
            yield ""
            yield from unbroken(self.note, width)


def unbroken(text: str, width: int) -> list[str]:
    """Lines of at most ``width`` characters, but for words that are longer: a path is never broken."""
    return textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False)


def sentence(text: str, width: int, style: str = "") -> Text:
    """The same for a console that prints it with ``crop=False``."""
    return Text("\n".join(unbroken(text, width)), style=style, no_wrap=True, overflow="ignore")
