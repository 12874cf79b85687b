"""Lists of labels as people have them: a table with or without a header, ``file label`` lines, or a label a line.

The csv module reads quotes and line ends. Which sign parts the columns, which of them holds the files, and whether the
first line is a header is decided by what is there: the column of files is the one whose cells name files of the folder.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from evoray.errors import DataError
from evoray.ingest.labels.columns import FILES, LABELS, Asked, listed, plain
from evoray.ingest.labels.table import REMEDY, FileNames, Row, file_column, is_number, label_column, split_header
from evoray.ingest.labels.values import ONE
from evoray.ingest.names import SUFFIXES, is_image
from evoray.runtime.reading import read_file, shown

MOST_BYTES = 256 * 2**20
MOST_LINES = 4_000_000
"""ImageNet has 1.3 million images; a line takes a quarter of a kilobyte of memory."""
DELIMITERS = {"\t": "tabs", ",": "commas", ";": "semicolons", "|": "bars"}
BLANKS = "blanks"
_EXCEL = re.compile(r"\Asep=.(?=[\r\n])")
"""What Excel writes above a table."""
_LINE = re.compile(r"\r\n|\n|\r")
_MARKS = {b"\xff\xfe\0\0": "utf-32", b"\0\0\xfe\xff": "utf-32", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}


@dataclass(frozen=True)
class Listed:
    """What a list says: lines of (line, file, label), the file empty where labels go by the order of the files."""

    rows: list[tuple[int, str, str]]
    by_name: bool
    notes: tuple[str, ...]


def read_list(path: Path, files: FileNames, asked: Asked) -> Listed:
    """A list of labels for the files of a folder.

    Raises:
        DataError: no text, no table, a line that is none of it, or columns that could be several.
    """
    text = _text(path)
    table = _table(text, files, asked)
    if table is not None:
        return _of_table(path, table, files, asked)
    lines = [(number, line.strip()) for number, line in enumerate(_LINE.split(text), 1)]
    lines = [(number, line) for number, line in lines if line and not _is_comment(line, files)]
    if not lines:
        raise DataError(f"{shown(path)}: empty. It has a line for each image: its label, or its file and its label.")
    if asked.columns:
        raise DataError(f"{shown(path)}: no table, so it has no columns to name. {REMEDY}.")
    if _looks_named(lines, files):
        return _of_lines(path, lines, files)
    return _in_order(path, lines, files)


def _text(path: Path) -> str:
    content = read_file(path, MOST_BYTES)
    encoding = next((name for mark, name in _MARKS.items() if content.startswith(mark)), "utf-8-sig")
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        raise DataError(
            f"{shown(path)}: cannot be read ({shown(error)}). Save it as UTF-8, or name a list with --labels."
        ) from None
    if text.count("\n") + text.count("\r") > 2 * MOST_LINES or len(_LINE.findall(text)) > MOST_LINES:
        raise DataError(f"{shown(path)}: more than {MOST_LINES:,} lines. Cut it to those of this folder's images.")
    if "\0" in text:
        raise DataError(
            f"{shown(path)}: cannot be read (zero bytes in it). Save it as UTF-8, or name a list with --labels."
        )
    if text.lstrip().startswith(("{", "[")):
        raise DataError(f"{shown(path)}: JSON, and no list of labels. {REMEDY}.")
    return _EXCEL.sub("", text)  # the line stays, for the numbers of the others


def _is_comment(cell: str, files: FileNames) -> bool:
    return cell.startswith("#") and not files.hashed


# Tables


@dataclass(frozen=True)
class _Table:
    """rows: up to the first whose quotes do not fit, which is ``error`` at ``line``."""

    rows: list[Row]
    parted: str
    hits: int
    """Of the rows, how many have a cell that names a file."""
    error: str = ""
    line: int = 0

    @property
    def even(self) -> bool:
        return not self.error and len({len(cells) for _, cells in self.rows}) == 1


def _table(text: str, files: FileNames, asked: Asked) -> _Table | None:
    """The list as columns; None where no sign parts its lines into any."""
    quote = "'" if re.match(r"\s*'[^'\n]*'", text) else '"'
    tables = [
        _parsed(io.StringIO(text, newline=""), sign, quote, parted, files)
        for sign, parted in DELIMITERS.items()
        if sign in text
    ]
    blanks = None
    if " " in text or "\t" in text:
        lines = [line.strip().replace("\t", " ") for line in _LINE.split(text)]
        blanks = _parsed(lines, " ", quote, BLANKS, files)
    found = [table for table in tables if table is not None]
    if blanks is not None and blanks.even:
        found.append(blanks)
    best = max(found, key=lambda table: (table.hits, table.even), default=None)
    return best if best is not None and (best.hits or _is_table(best, asked)) else None


def _is_table(table: _Table, asked: Asked) -> bool:
    """Whether a table none of whose cells names a file is one, and no list of labels with such signs in them."""
    header = bool({plain(cell) for cell in table.rows[0][1]} & (FILES | LABELS))
    return bool(table.error) or (table.even and (asked.columns or header or table.parted != BLANKS))


def _parsed(lines: Iterable[str], sign: str, quote: str, parted: str, files: FileNames) -> _Table | None:
    """None where no line has two cells; empty lines and comments are left out."""
    reader = csv.reader(lines, delimiter=sign, quotechar=quote, skipinitialspace=True, strict=True)
    rows: list[Row] = []
    error, line = "", 1
    try:
        for cells in reader:
            stripped = [cell.strip() for cell in cells]
            if any(stripped) and not _is_comment(stripped[0], files):
                rows.append((line, stripped))
            line = reader.line_num + 1
    except csv.Error as reason:
        error = str(reason)
    if not any(len(cells) > 1 for _, cells in rows):
        return None
    rows = _with_row_names(_without_empty_columns(rows), files)
    return _Table(rows, parted, sum(any(map(files.find, cells)) for _, cells in rows), error, line)


def _without_empty_columns(rows: list[Row]) -> list[Row]:
    """Without a last column that is empty in every row, as a sign at the end of each line makes one."""
    while len({len(cells) for _, cells in rows}) == 1 and len(rows[0][1]) > 2 and not any(c[-1] for _, c in rows):
        rows = [(line, cells[:-1]) for line, cells in rows]
    return rows


def _with_row_names(rows: list[Row], files: FileNames) -> list[Row]:
    """With a name for the column of row numbers, which R and pandas write without one."""
    (line, first), rest = rows[0], rows[1:]
    known = any(plain(cell) in FILES | LABELS for cell in first)
    if known and {len(cells) for _, cells in rest} == {len(first) + 1} and not any(map(files.exactly, first)):
        return [(line, ["", *first]), *rest]
    return rows


def _of_table(path: Path, table: _Table, files: FileNames, asked: Asked) -> Listed:
    if table.error:
        raise DataError(
            f"{shown(path)}, line {table.line}: {shown(table.error)}. A cell in quotes ends with one; "
            "a quote in it is doubled."
        )
    header, rows = split_header(path, table.rows, files, asked)
    if header and len(header) != (width := _usual_width(rows)):
        raise DataError(
            f"{shown(path)}, line {table.rows[0][0]}: the header {listed(header)} has {len(header)} cells, and the "
            f"rows below it have {width}. Give each column its name, with {table.parted} between."
        )
    names = header or [str(number) for number in range(1, _usual_width(rows) + 1)]
    rows = [(line, _fitting(path, line, cells, len(names), table.parted)) for line, cells in rows]
    at = file_column(path, names, rows, files, asked, bool(header))
    label = label_column(path, names, rows, at, asked, bool(header))
    values = [(line, cells[at], cells[label]) for line, cells in rows]
    if plain(names[label]) == "predictionstring":
        values = [(line, name, _kaggle(path, line, value)) for line, name, value in values]
    columns = f"files from column {listed([names[at]])}, labels from column {listed([names[label]])}"
    how = f"{table.parted} between columns, {'a header' if header else 'no header'}; {columns}"
    return Listed(values, True, (f"list of labels {shown(path.name, 80)}: {how}",))


def _fitting(path: Path, line: int, cells: list[str], width: int, parted: str) -> list[str]:
    """A row of that many cells; empty ones at its end may be more."""
    while len(cells) > width and not cells[-1]:
        cells = cells[:-1]
    if len(cells) == width:
        return cells
    what = f"{len(cells)} cells where others have {width}"
    if len(cells) == 1:
        what = f"{shown(cells[0], 60)!r} has no label"
    raise DataError(
        f"{shown(path)}, line {line}: {what}. There are {parted} between columns: a cell with one in it wants quotes. "
        f"{REMEDY}."
    )


def _usual_width(rows: Sequence[Row]) -> int:
    widths = [len(cells) for _, cells in rows]
    return max(2, max(set(widths), key=widths.count))


def _kaggle(path: Path, line: int, value: str) -> str:
    """The synset of ``n01440764 111 108 370 330``, a box; all boxes of an image are of one."""
    words = value.split()
    found = {word for word in words if not is_number(word)} or set(words[:1])
    if len(found) > 1:
        raise DataError(f"{shown(path)}, line {line}: several labels, {listed(sorted(found))}. {ONE}.")
    return words[0] if words else ""


# Lines


def _of_lines(path: Path, lines: Sequence[tuple[int, str]], files: FileNames) -> Listed:
    """``file label`` with blanks in either: the file is the longest beginning (or end) that is one."""
    words = {plain(word) for word in lines[0][1].split()}
    if words <= FILES | LABELS and len(words) == 2 and not _parted(lines[0][1], files):
        lines = lines[1:]
    ends = sum(bool(_parted(line, files)) for _, line in lines)
    last = not ends and any(_parted(line, files, last=True) for _, line in lines)
    rows = [(number, *_file_and_label(path, number, line, files, last)) for number, line in lines]
    how = "a label and a file" if last else "a file and a label"
    return Listed(rows, True, (f"list of labels {shown(path.name, 80)}: lines of {how} with blanks between",))


def _file_and_label(path: Path, number: int, line: str, files: FileNames, last: bool) -> tuple[str, str]:
    name, label = _parted(line, files, last) or _guessed(line, last)
    label = _unquoted(label)
    words = label.split()
    if not words:
        raise DataError(
            f"{shown(path)}, line {number}: {shown(line, 60)!r} has no label. Every line is a file and its label."
        )
    if len(words) > 1 and any(map(is_number, words)):
        raise DataError(
            f"{shown(path)}, line {number}: {shown(label, 60)!r} after the file is a label with blanks, or several "
            f"columns. {REMEDY}."
        )
    return name, label


def _parted(line: str, files: FileNames, last: bool = False) -> tuple[str, str] | None:
    """The file that a line begins (or ends) with, and the rest; None where it names none that is here."""
    places = [found.span() for found in re.finditer(r"[ \t]+", line)]
    cuts = [(line[:start], line[end:]) for start, end in reversed(places)]
    if last:
        cuts = [(after, before) for before, after in reversed(cuts)]
    cuts = cuts if last else [(line, ""), *cuts]
    return next((cut for cut in cuts if files.find(cut[0])), None)


def _guessed(line: str, last: bool) -> tuple[str, str]:
    """The same of a file that is not here: up to its suffix, else the first word."""
    if last:
        before, _, after = line.rpartition(" ")
        return after, before
    suffix = "|".join(re.escape(one) for one in SUFFIXES)
    found = re.match(rf"(.*?(?:{suffix}))(?:\s+(.*))?$", line, re.IGNORECASE) or re.match(r"(\S+)\s*(.*)$", line)
    assert found is not None
    return found.group(1), found.group(2) or ""


def _looks_named(lines: Sequence[tuple[int, str]], files: FileNames) -> bool:
    """Whether lines are ``file label``, and no labels with blanks in them."""
    parts = [line.split(None, 1) for _, line in lines]
    for _, line in lines:
        if any(map(is_image, re.split(r"[\s,;|]+", line))):
            return True
    if any(len(part) < 2 for part in parts):
        return any(_parted(line, files) for _, line in lines if " " in line)
    tails = [part[1] for part in parts]
    repeats = len({part[0] for part in parts}) == len(parts) and len(set(tails)) < len(tails)
    return repeats or all(map(is_number, tails)) or any(_parted(line, files) for _, line in lines)


def _in_order(path: Path, lines: list[tuple[int, str]], files: FileNames) -> Listed:
    """A label a line, in the order of the sorted files."""
    unquoted = [(number, _unquoted(line)) for number, line in lines]
    for number, label in unquoted:
        if re.search(r'(^|\s)"[^"]*"(\s|$)', label):
            raise DataError(f"{shown(path)}, line {number}: quotes in {shown(label, 80)}, and no table. {REMEDY}.")
    number, first = unquoted[0]
    once = sum(label == first for _, label in unquoted) == 1
    notes = [f"list of labels {shown(path.name, 80)}: a label a line, in the order of the sorted names of the files"]
    if plain(first) in LABELS and once and len(unquoted) > 1:
        if len(unquoted) == len(files.files):
            raise DataError(
                f"{shown(path)}, line {number}: {shown(first)} reads like a header, and then the {len(files.files)} "
                f"images have {len(unquoted) - 1} labels. {REMEDY}."
            )
        unquoted = unquoted[1:]
        notes.append(f"its first line, {shown(first, 60)}, is taken for a header")
    return Listed([(number, "", label) for number, label in unquoted], False, tuple(notes))


def _unquoted(line: str) -> str:
    if not (line.startswith('"') and line.endswith('"')):
        return line
    cells = next(csv.reader([line]))
    return cells[0].strip() if len(cells) == 1 else line
