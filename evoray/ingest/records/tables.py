"""JSONL, CSV and Parquet as one Arrow table; every cell is a number, a word, or a list of numbers."""

import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.json

from evoray.errors import DataError
from evoray.ingest.records.json_kinds import check_lines
from evoray.runtime.reading import open_regular, said, shown
from evoray.storage.tables import read_parquet

BYTES = 2**31
"""Of a file, at most: its table is held in memory."""
BLOCK = 2**26
"""Bytes that a column's type is found in, and that a line may have."""
WORDS = pa.csv.ConvertOptions(true_values=["true", "True", "TRUE"], false_values=["false", "False", "FALSE"])
"""Arrow would take 1 and True for one value; numbers beside words are a question of what was meant."""
DEPTH = 32
"""Levels of a JSON document."""
_STRING, _OPEN, _CLOSE = re.compile(rb'"(?:[^"\\]|\\.)*"'), list(b"[{"), list(b"]}")
Reader = Callable[[IO[bytes], str], pa.Table]


def _delimited(sign: str) -> Reader:
    def read(file: IO[bytes], origin: str) -> pa.Table:
        options, divided = pa.csv.ReadOptions(block_size=BLOCK), pa.csv.ParseOptions(delimiter=sign)
        return pa.csv.read_csv(pa.PythonFile(file, "r"), options, divided, WORDS)

    return read


def _json(file: IO[bytes], origin: str) -> pa.Table:
    _check_objects(file, origin)
    file.seek(0)
    try:
        table = pa.json.read_json(pa.PythonFile(file, "r"), pa.json.ReadOptions(block_size=BLOCK))
        table.validate(full=True)  # of texts it looks at nothing but where they end
        return table
    except pa.ArrowException:
        file.seek(0)
        check_lines(file, origin)
        raise


def _check_objects(file: IO[bytes], origin: str) -> None:
    """Objects alone, none nested deep: pyarrow's parser ends the process on a null, or where its stack ends.

    Raises:
        DataError: names the line.
    """
    depth = 0
    for number, line in enumerate(file, 1):
        signs = np.frombuffer(_STRING.sub(b"", line), np.uint8)
        steps = np.isin(signs, _OPEN).astype(np.int64) - np.isin(signs, _CLOSE)
        levels = depth + np.cumsum(steps)
        if ((levels == steps) & (signs > ord(" ")) & (signs != ord("{"))).any():
            raise DataError(
                f"{shown(origin)}: no jsonl, for line {number} holds something else than objects. {_REMEDY}"
            )
        if len(levels) and levels.max() > DEPTH:
            raise DataError(f"{shown(origin)}: line {number} is nested deeper than {DEPTH} levels. {_REMEDY}")
        depth = int(levels[-1]) if len(levels) else depth


def _parquet(file: IO[bytes], origin: str) -> pa.Table:
    return read_parquet(file.read(), origin, "Write it again, or give fewer rows.", limit=BYTES)


READERS: Mapping[str, Reader] = {
    ".csv": _delimited(","),
    ".tsv": _delimited("\t"),
    ".jsonl": _json,
    ".ndjson": _json,
    ".parquet": _parquet,
}


_REMEDY = "Write it in UTF-8: names of columns above (or as keys), then a record a line."


def is_table(source: str) -> bool:
    """Whether it is named like one."""
    return Path(source).suffix.lower() in READERS


def read_table(path: Path) -> pa.Table:
    """The whole file.

    Raises:
        DataError: it is none of the kinds, too large, or not what its name says.
    """
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        raise DataError(f"{shown(path)}: no table. Records are read from {', '.join(READERS)}, or a torch Dataset.")
    try:
        with open_regular(path) as file:
            size = os.fstat(file.fileno()).st_size
            if size > BYTES:
                raise DataError(f"{shown(path)}: {size:,} bytes; a table may have {BYTES:,}. Give it in parts.")
            table = reader(file, str(path))
        names: list[str] = table.column_names
    except OSError as error:
        raise DataError(f"{shown(path)}: cannot be read ({said(error)}).") from None
    except (pa.ArrowException, ValueError, MemoryError) as error:
        kind = path.suffix[1:].lower()
        raise DataError(f"{shown(path)}: no {kind} as pyarrow reads it ({said(error)}). {_REMEDY}") from None
    if table.num_rows == 0:
        raise DataError(f"{shown(path)}: no record in it. {_REMEDY}")
    if double := {name for name in names if names.count(name) > 1}:
        raise DataError(f"{shown(path)}: two columns are called {shown(min(double))}. Rename one of them.")
    _check_header(path, names)
    return table


def unnamed(column: str) -> bool:
    """Whether it holds pandas' row numbers, which no network is to see."""
    return column == "" or column.startswith("Unnamed: ")


def _check_header(path: Path, names: list[str]) -> None:
    """Raises DataError where the first line is a record, or is divided by another sign."""
    if path.suffix.lower() not in (".csv", ".tsv"):
        return
    if len(names) == 1 and (signs := [sign for sign in ";\t|," if sign in names[0]]):
        sign = {"\t": "tabs", ",": "commas"}.get(signs[0], signs[0])
        raise DataError(
            f"{shown(path)}: one column, {shown(names[0], 60)}: it seems to be divided by {sign}. A .csv has "
            "commas, a .tsv tabs."
        )
    if all(map(_is_number, names)) and list(map(float, names)) != list(range(len(names))):
        raise DataError(
            f"{shown(path)}: its first line is {shown(', '.join(names), 60)}, and no names of columns. Write them "
            "above."
        )


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True
