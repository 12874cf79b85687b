"""From a table with names for its columns to files and their labels, and what is said of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from evoray.errors import DataError
from evoray.ingest.labels.columns import Asked, listed, plain
from evoray.ingest.labels.division import divided
from evoray.ingest.labels.filenames import FileNames
from evoray.ingest.labels.table import Row, file_column, label_column
from evoray.ingest.labels.values import ONE, is_number
from evoray.runtime.reading import shown

Entry = tuple[int, str, str]
"""A line's number, a file's name, a label."""


@dataclass(frozen=True)
class Listed:
    """What a list says.

    rows: of those that count, the file empty where labels go by the order of the files. aside: what ``--only`` left
    out; their labels are classes all the same. column: the labels' name, where they have one. place: what the numbers
    count. null: whether the list's format has a null of its own, as JSON has.
    """

    rows: list[Entry]
    by_name: bool
    notes: tuple[str, ...]
    aside: tuple[Entry, ...] = ()
    column: str = ""
    place: str = "line"
    null: bool = False


def taken(
    path: Path, names: Sequence[str], rows: Sequence[Row], files: FileNames, asked: Asked, header: bool, how: str,
    place: str = "line",
) -> Listed:  # fmt: skip
    """Files and labels of a table.

    Args:
        header: whether ``names`` are the columns' own, not numbers. how: how the table was read, for the note.

    Raises:
        DataError: columns could be several, or images of several splits are here.
    """
    at = file_column(path, names, rows, files, asked, header)
    label = label_column(path, names, rows, at, asked, header)
    others = [other for other in range(len(names)) if other not in (at, label)]
    counted = divided(path, names, rows, at, others, files, asked)
    values = [(line, cells[at], cells[label]) for line, cells in rows]
    if plain(names[label]) == "predictionstring":
        values = [(line, name, _kaggle(path, line, value)) for line, name, value in values]
    kept, aside = values, tuple[Entry, ...]()
    if len(counted) < len(rows):
        counts = set(counted)
        kept = [values[row] for row in counted]
        aside = tuple(one for row, one in enumerate(values) if row not in counts)
    said = f"files from column {listed([names[at]])}, labels from column {listed([names[label]])}"
    notes = [f"list of labels {shown(path.name, 80)}: {how}; {said}"]
    if others:
        notes.append(f"columns left aside: {listed([names[other] for other in others])}")
    if asked.only is not None:
        notes.append(f"--only {shown(asked.only, 80)}: {len(kept)} of {len(rows)} {place}s count")
    return Listed(kept, True, tuple(notes), aside, names[label] if header else "", place)


def _kaggle(path: Path, line: int, value: str) -> str:
    """The synset of ``n01440764 111 108 370 330``, a box; all boxes of an image are of one."""
    words = value.split()
    found = {word for word in words if not is_number(word)} or set(words[:1])
    if len(found) > 1:
        raise DataError(f"{shown(path)}, line {line}: several labels, {listed(sorted(found))}. {ONE}.")
    return words[0] if words else ""
