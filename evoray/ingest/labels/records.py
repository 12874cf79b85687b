"""Lists of labels in JSON: a record a line (JSONL), an array of records or pairs, ``{file: label}``, or columns."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evoray.errors import DataError
from evoray.ingest.json_keys import parse_unique
from evoray.ingest.labels.columns import FILES, LABELS, listed, plain
from evoray.ingest.labels.room import Room
from evoray.ingest.labels.table import REMEDY, Row
from evoray.ingest.labels.text import ListText
from evoray.runtime.reading import JSON_BYTES, shown

_WRAPPERS = "labels data annotations records items samples rows root entries images"
WRAPPERS = frozenset(_WRAPPERS.split())
"""Keys under which a document holds its list, as StyleGAN's ``dataset.json`` does."""
MOST_COLUMNS = 1000


@dataclass(frozen=True)
class Records:
    """names: of the columns; place: what a row's number counts."""

    names: list[str]
    rows: list[Row]
    place: str
    how: str


def is_json(text: ListText) -> bool:
    return text.start.lstrip()[:1] in ("{", "[")


def read_records(path: Path, text: ListText) -> Records:
    """The columns of a JSON list; a key that a record lacks is an empty cell.

    Raises:
        DataError: no JSON, or no list of files and labels.
    """
    if is_lines(text):
        return _of_records(path, _lines(path, text), "line", "a JSON record a line")
    if len(text.content) > JSON_BYTES:
        raise DataError(
            f"{shown(path)}: a JSON document of over {JSON_BYTES:,} bytes. Write a record a line (JSONL), or CSV."
        )
    return _of_document(path, _parsed(text.content, str(path)))


def is_lines(text: ListText) -> bool:
    """Whether the first line is a record by itself."""
    lines = text.numbered()
    first = next(lines)[1]
    if not (first.startswith("{") and first.endswith("}")) or len(first) > JSON_BYTES:
        return False
    try:
        record = json.loads(first)
    except (ValueError, RecursionError):
        return False
    if next(lines, None):
        return isinstance(record, dict)
    known = {plain(key) for key, value in record.items() if not isinstance(value, list | dict)}
    return bool(known & FILES and known & LABELS)


def _parsed(text: bytes | str, origin: str) -> Any:
    try:
        return parse_unique(text, origin)
    except DataError as error:
        raise DataError(f"{str(error).rstrip('.')}. {REMEDY}, or mend the JSON.") from None


def _lines(path: Path, text: ListText) -> Iterable[tuple[int, Any]]:
    for number, line in text.numbered():
        yield number, _parsed(line, f"{path}, line {number}")


def _of_records(path: Path, records: Iterable[tuple[int, Any]], place: str, how: str) -> Records:
    at: dict[str, int] = {}
    rows: list[Row] = []
    room = Room(str(path))
    for number, record in records:
        if not isinstance(record, dict):
            raise DataError(f"{shown(path)}, {place} {number}: no record with keys, such as the others. {REMEDY}.")
        cells = [""] * len(at)
        for key, value in record.items():
            if at.setdefault(key, len(at)) == len(cells):
                cells.append("")
            cells[at[key]] = _cell(value)
        rows.append((number, room.row(cells)))
        if len(at) > MOST_COLUMNS:
            raise DataError(f"{shown(path)}, {place} {number}: more than {MOST_COLUMNS:,} different keys. {REMEDY}.")
    for _, cells in rows:
        if len(cells) < len(at):
            cells.extend([""] * (len(at) - len(cells)))
    if not rows or len(at) < 2:
        raise DataError(f"{shown(path)}: JSON without records of a file and a label. {REMEDY}.")
    return Records(list(at), rows, place, how)


def _cell(value: Any) -> str:
    if isinstance(value, str):
        return value.strip()
    if value is None:
        return ""
    return json.dumps(value, ensure_ascii=False)


def _of_document(path: Path, document: Any) -> Records:
    if isinstance(document, list):
        return _of_array(path, document)
    if not isinstance(document, dict) or not document:
        raise DataError(f"{shown(path)}: JSON, and no list of labels. {REMEDY}.")
    if isinstance(document.get("images"), list) and isinstance(document.get("annotations"), list):
        raise DataError(
            f"{shown(path)}: annotations as COCO has them, which may be several an image, in {listed(list(document))}. "
            f"{REMEDY}."
        )
    inside = [key for key, value in document.items() if plain(key) in WRAPPERS and _is_array(value)]
    if len(inside) == 1:
        return _of_array(path, document[inside[0]])
    return _of_mapping(path, document)


def _is_array(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], dict | list)


def _of_array(path: Path, array: Sequence[Any]) -> Records:
    if array and all(isinstance(one, list) and len(one) == 2 for one in array):
        return _pairs(((number, *pair) for number, pair in enumerate(array, 1)), "JSON pairs")
    if array and not isinstance(array[0], dict):
        raise DataError(
            f"{shown(path)}: a JSON array of {type(array[0]).__name__}, and no records of a file and a label. {REMEDY}."
        )
    return _of_records(path, enumerate(array, 1), "record", "an array of JSON records")


def _pairs(pairs: Iterable[tuple[int, Any, Any]], how: str) -> Records:
    return Records(["file", "label"], [(number, [_cell(a), _cell(b)]) for number, a, b in pairs], "record", how)


def _of_mapping(path: Path, document: dict[str, Any]) -> Records:
    kinds = {type(value) for value in document.values()}
    known = {plain(key) for key in document}
    if kinds <= {list, dict} and known & FILES and known & LABELS:
        return _of_columns(path, document)
    if kinds == {dict}:
        records = [{"file": name, **record} for name, record in document.items()]
        return _of_records(path, enumerate(records, 1), "record", "JSON records by file")
    if kinds == {list} and all(isinstance(one, str) for value in document.values() for one in value):
        pairs = [(file, name) for name, files in document.items() for file in files]
        return _pairs(((number, *pair) for number, pair in enumerate(pairs, 1)), "JSON lists of files by class")
    if kinds & {list, dict}:
        raise DataError(
            f"{shown(path)}: JSON with the keys {listed(list(document), 6)}, and no list of labels. {REMEDY}."
        )
    return _pairs(((number, *pair) for number, pair in enumerate(document.items(), 1)), "JSON labels by file")


def _of_columns(path: Path, document: dict[str, Any]) -> Records:
    """As pandas writes a table: ``{"file": {"0": …}}`` or ``{"file": [...]}``."""
    columns = {key: value for key, value in document.items() if isinstance(value, list | dict)}
    keys = [list(value) if isinstance(value, dict) else list(range(len(value))) for value in columns.values()]
    if any(one != keys[0] for one in keys):
        raise DataError(f"{shown(path)}: JSON columns of different lengths, {listed(list(columns), 6)}. {REMEDY}.")
    values = [list(value.values()) if isinstance(value, dict) else value for value in columns.values()]
    rows = [(number, [_cell(cell) for cell in cells]) for number, cells in enumerate(zip(*values, strict=True), 1)]
    if not rows:
        raise DataError(f"{shown(path)}: JSON without records of a file and a label. {REMEDY}.")
    return Records(list(columns), rows, "record", "JSON columns")
