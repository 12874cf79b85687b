"""Lists of labels as people have them: a table with or without a header, ``file label`` lines, or a label a line.

Which sign parts the columns, which of them holds the files, and whether the first line is a header is decided by what
is there: the column of files is the one whose cells name files of the folder.
"""

import csv
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from evoray.errors import DataError
from evoray.ingest.cells.spreadsheet import records_of
from evoray.ingest.labels.columns import FILES, LABELS, Asked, listed, plain
from evoray.ingest.labels.delimited import Table, find_table, is_comment
from evoray.ingest.labels.filenames import FIRST, FileNames
from evoray.ingest.labels.joined import is_joined, read_joined
from evoray.ingest.labels.records import Records, is_json, is_lines, read_records
from evoray.ingest.labels.table import REMEDY, Row, split_header
from evoray.ingest.labels.taken import Listed, taken
from evoray.ingest.labels.text import ListText, read_text
from evoray.ingest.labels.values import is_number
from evoray.ingest.names import SUFFIXES, is_image
from evoray.runtime.reading import shown

_SUFFIXES = "|".join(re.escape(suffix) for suffix in SUFFIXES)
_PICTURE = re.compile(rf"(.*?(?:{_SUFFIXES}))(?:\s+(.*))?$", re.IGNORECASE)


def read_list(path: Path, files: FileNames, asked: Asked) -> Listed:
    """A list of labels for the files of a folder.

    Raises:
        DataError: no text, no table, a line that is none of it, or columns that could be several.
    """
    if is_joined(path):
        return _of_records(path, read_joined(path), files, asked)
    text = read_text(path)
    if _is_of_others(text, files):  # by names it is refused whatever follows; by order it is the count that is wrong
        found = _of_text(path, text.first(FIRST), files, asked)
        if found.by_name:
            return found
    return _of_text(path, text, files, asked)


def _is_of_others(text: ListText, files: FileNames) -> bool:
    """Whether a long list names none of the files, and has too many lines to go by their order."""
    if text.count <= max(2 * FIRST, 4 * len(files.files)) or (is_json(text) and not is_lines(text)):
        return False
    return not (is_json(text) and text.has("\\u")) and not files.may_be_in(text.content)


def _of_text(path: Path, text: ListText, files: FileNames, asked: Asked) -> Listed:
    if is_json(text):
        return replace(_of_records(path, read_records(path, text), files, asked), null=True)
    table = find_table(text, files, asked)
    if (table is None or not table.names) and not files.loose:
        files.loose, table = True, None  # none is named as it is: another case or suffix counts
        table = find_table(text, files, asked)
        files.loose = table is not None and table.names
    if table is not None:
        return _of_table(path, table, files, asked)
    lines = [(number, line) for number, line in text.numbered() if not is_comment(line, files)]
    if not lines:
        raise DataError(f"{shown(path)}: empty. It has a line for each image: its label, or its file and its label.")
    if asked.columns:
        raise DataError(f"{shown(path)}: no table, so it has no columns to name. {REMEDY}.")
    if _looks_named(lines, files):
        return _of_lines(path, lines, files)
    return _in_order(path, lines, files)


def _of_records(path: Path, found: Records, files: FileNames, asked: Asked) -> Listed:
    return taken(path, found.names, found.rows, files, asked, True, found.how, found.place)


# Tables


def _of_table(path: Path, table: Table, files: FileNames, asked: Asked) -> Listed:
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
    rows, extra = records_of(path.name, header, rows, lambda cell: bool(files.find(cell)))
    names = header or [str(number) for number in range(1, _usual_width(rows) + 1)]
    if any(len(cells) != len(names) for _, cells in rows):
        rows = [(line, _fitting(path, line, cells, len(names), table.parted)) for line, cells in rows]
    how = f"{table.parted} between columns, {'a header' if header else 'no header'}"
    found = taken(path, names, rows, files, asked, bool(header), how)
    return replace(found, notes=(*found.notes, *extra))


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
    found = _PICTURE.match(line) or re.match(r"(\S+)\s*(.*)$", line)
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
    number, first = unquoted[0]
    if any(map(is_image, re.split(r"[=:>]", first))) or all("/" in name and files.find(name) for _, name in unquoted):
        raise DataError(
            f"{shown(path)}, line {number}: {shown(first, 60)!r} names a file, and no label that can be told from it. "
            f"{REMEDY}; where the folders are the classes, --format folder reads them."
        )
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
