"""A list as a table: which sign parts its columns, by which one makes cells name files of the folder.

The csv module reads quotes and line ends. Where several signs could be it, each is tried without keeping anything: a
list of two million lines would not fit into memory five times.
"""

import csv
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from evoray.ingest.cells.spreadsheet import unmarked
from evoray.ingest.labels.columns import FILES, LABELS, Asked, plain
from evoray.ingest.labels.filenames import FileNames
from evoray.ingest.labels.room import Room
from evoray.ingest.labels.table import Row
from evoray.ingest.labels.text import ListText

DELIMITERS = {"\t": "tabs", ",": "commas", ";": "semicolons", "|": "bars"}
BLANKS = "blanks"


@dataclass(frozen=True)
class Table:
    """rows: up to the first whose quotes do not fit, which is ``error`` at ``line``.

    names: whether a row has a cell that names a file.
    """

    rows: list[Row]
    parted: str
    names: bool
    error: str
    line: int

    @property
    def even(self) -> bool:
        return not self.error and len({len(cells) for _, cells in self.rows}) == 1


@dataclass(frozen=True)
class _Dialect:
    """lines: of the list, anew at each call. sign: between columns, with its name."""

    lines: Callable[[], Iterable[str]]
    sign: str
    quote: str
    parted: str

    def cells(self, files: FileNames, broken: list[tuple[str, int]]) -> Iterator[Row]:
        """Rows without empty lines and comments; what the csv module says against the rest is added to ``broken``."""
        reader = csv.reader(self.lines(), delimiter=self.sign, quotechar=self.quote, skipinitialspace=True, strict=True)
        line = 1
        try:
            for cells in reader:
                stripped = [unmarked(cell.strip()) for cell in cells]
                if any(stripped) and not is_comment(stripped[0], files) and not self._is_rule(stripped):
                    yield line, stripped
                line = reader.line_num + 1
        except csv.Error as reason:
            broken.append((str(reason), line))

    def _is_rule(self, cells: list[str]) -> bool:
        """The line below the header of a table in Markdown."""
        return self.sign == "|" and all(re.fullmatch(r":?-{2,}:?|", cell) for cell in cells)


def find_table(text: ListText, files: FileNames, asked: Asked) -> Table | None:
    """The list as columns; None where no sign parts its lines into any."""
    quote = "'" if re.match(r"\s*'[^'\n]*'", text.start) else '"'
    dialects = [_Dialect(text.lines, sign, quote, parted) for sign, parted in DELIMITERS.items() if text.has(sign)]
    if text.has(" ") or text.has("\t"):
        dialects.append(_Dialect(lambda: _single_blanks(text.lines()), " ", quote, BLANKS))
    if len(dialects) > 1:
        judged = [(*_judged(dialect, files), dialect) for dialect in dialects]
        judged = [one for one in judged if one[0] >= 0 and (one[1] or one[2].parted != BLANKS)]
        dialects = [max(judged, key=lambda one: one[:2])[2]] if judged else []
    best = _loaded(dialects[0], files, Room(text.origin)) if dialects else None
    if best is None or (best.parted == BLANKS and not best.even):
        return None
    return best if best.names or _is_table(best, asked) else None


def is_comment(cell: str, files: FileNames) -> bool:
    return cell.startswith("#") and not files.hashed


def _single_blanks(lines: Iterable[str]) -> Iterator[str]:
    return (line.strip().replace("\t", " ") for line in lines)


def _is_table(table: Table, asked: Asked) -> bool:
    """Whether a table none of whose cells names a file is one, and no list of labels with such signs in them."""
    header = bool({plain(cell) for cell in table.rows[0][1]} & (FILES | LABELS))
    return bool(table.error) or (table.even and (asked.columns or header or table.parted != BLANKS))


def _judged(dialect: _Dialect, files: FileNames) -> tuple[int, bool]:
    """Rows with a cell that names a file, -1 where no row has two cells; and whether all have as many cells."""
    broken: list[tuple[str, int]] = []
    first: list[str] = []
    widths: set[int] = set()
    hits, named = 0, True
    for _, cells in dialect.cells(files, broken):
        hits += any(map(files.find, cells))
        if not first:
            first = cells
        else:
            widths.add(len(cells))
            named = named and len(widths) == 1 and bool(files.exactly(cells[0]))
    if max(widths | {len(first)}) < 2:
        return -1, False
    even = widths <= {len(first)} or (widths == {len(first) + 1} and _lacks_a_name(first, named, files))
    return hits, even and not broken


def _loaded(dialect: _Dialect, files: FileNames, room: Room) -> Table | None:
    """None where no row has two cells."""
    broken: list[tuple[str, int]] = []
    rows: list[Row] = [(line, room.row(cells)) for line, cells in dialect.cells(files, broken)]
    if not any(len(cells) > 1 for _, cells in rows):
        return None
    rows = _with_row_names(_without_empty_columns(rows), files)
    names = any(any(map(files.find, cells)) for _, cells in rows)
    return Table(rows, dialect.parted, names, *(broken[0] if broken else ("", 0)))


def _without_empty_columns(rows: list[Row]) -> list[Row]:
    """Without a last column that is empty in every row, as a sign at the end of each line makes one."""
    while len({len(cells) for _, cells in rows}) == 1 and len(rows[0][1]) > 2 and not any(c[-1] for _, c in rows):
        rows = [(line, cells[:-1]) for line, cells in rows]
    return rows


def _with_row_names(rows: list[Row], files: FileNames) -> list[Row]:
    """With a name for the first column where the header leaves it out: R's and pandas' row numbers, CelebA's files."""
    (line, first), rest = rows[0], rows[1:]
    if {len(cells) for _, cells in rest} != {len(first) + 1}:
        return rows
    if not any(cells[-1] for _, cells in rest):  # a sign at the end of each line but the header's
        return [(line, first), *((number, cells[:-1]) for number, cells in rest)]
    named = all(files.exactly(cells[0]) for _, cells in rest)
    return [(line, ["", *first]), *rest] if _lacks_a_name(first, named, files) else rows


def _lacks_a_name(first: list[str], named: bool, files: FileNames) -> bool:
    """Whether a header leaves out the name of its first column. named: all rows below begin with a file."""
    known = any(plain(cell) in FILES | LABELS for cell in first)
    return (known or (named and len(first) > 1)) and not any(map(files.exactly, first))
