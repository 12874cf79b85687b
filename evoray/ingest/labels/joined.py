"""Lists that come as several files joined by an image's id: CUB-200-2011, NABirds."""

from pathlib import Path

from evoray.errors import DataError
from evoray.ingest.labels.records import Records
from evoray.ingest.labels.table import Row
from evoray.ingest.labels.text import read_text
from evoray.runtime.reading import shown

IMAGES, LABELS, SPLIT, CLASSES = "images.txt", "image_class_labels.txt", "train_test_split.txt", "classes.txt"


def is_joined(path: Path) -> bool:
    """Whether a list is one of files that say ``id file`` and ``id class``."""
    return path.name in (IMAGES, LABELS, SPLIT, CLASSES) and all(
        (path.parent / name).is_file() for name in (IMAGES, LABELS)
    )


def read_joined(path: Path) -> Records:
    """A row for each image: its file, its class, and whether it is for training where that is said.

    Classes are named by ``classes.txt`` where their names sort as their numbers do, as CUB's do (001.…); else numbers.

    Raises:
        DataError: a file that is not there, a line that is no id and value, an id without a class or twice.
    """
    folder = path.parent
    files, classes = _values(folder / IMAGES), _values(folder / LABELS)
    split = _values(folder / SPLIT) if (folder / SPLIT).is_file() else None
    named = _class_names(folder / CLASSES) if (folder / CLASSES).is_file() else {}
    rows: list[Row] = []
    for identifier, (line, file) in files.items():
        cells = [file]
        for table, name in ((classes, LABELS), (split, SPLIT)):
            if table is None:
                continue
            if identifier not in table:
                raise DataError(f"{shown(folder / name)}: no line for the image {shown(identifier, 60)} of {IMAGES}.")
            cells.append(table[identifier][1])
        cells[1] = named.get(cells[1], cells[1])
        rows.append((line, cells))
    if not rows:
        raise DataError(f"{shown(folder / IMAGES)}: empty. It has a line for each image: its id and its file.")
    names = ["file", "class", "is_training_img"][: len(rows[0][1])]
    return Records(names, rows, "line", f"{IMAGES} and {LABELS} joined by id")


def _class_names(path: Path) -> dict[str, str]:
    """Of each id; none where their order is not that of the ids."""
    found = {identifier: name for identifier, (_, name) in _values(path).items()}
    if not all(map(str.isdecimal, found)) or len(set(found.values())) < len(found):
        return {}
    return found if sorted(found, key=int) == sorted(found, key=lambda one: found[one]) else {}


def _values(path: Path) -> dict[str, tuple[int, str]]:
    """id -> line and what follows it."""
    found: dict[str, tuple[int, str]] = {}
    for number, line in read_text(path).numbered():
        identifier, *rest = line.split(None, 1)
        if not rest:
            raise DataError(f"{shown(path)}, line {number}: {shown(line, 60)!r} is no id with something after it.")
        if identifier in found:
            raise DataError(f"{shown(path)}, line {number}: the id {shown(identifier, 60)} again. Leave one out.")
        found[identifier] = (number, rest[0].strip())
    return found
