"""JSONL, CSV and Parquet as one Arrow table; every cell is a number, a word, or a list of numbers."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.json
import pyarrow.parquet

from evoray.errors import DataError
from evoray.runtime.reading import open_regular, said, shown

BYTES = 2**31
"""Of a file, at most: its table is held in memory."""
READERS: Mapping[str, Callable[[pa.NativeFile], pa.Table]] = {
    ".csv": pa.csv.read_csv,
    ".tsv": lambda file: pa.csv.read_csv(file, parse_options=pa.csv.ParseOptions(delimiter="\t")),
    ".jsonl": pa.json.read_json,
    ".ndjson": pa.json.read_json,
    ".parquet": pa.parquet.read_table,
}


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
            table = reader(pa.PythonFile(file, "r"))
    except OSError as error:
        raise DataError(f"{shown(path)}: cannot be read ({said(error)}).") from None
    except (pa.ArrowException, ValueError, UnicodeDecodeError) as error:
        raise DataError(f"{shown(path)}: no {path.suffix[1:]} as pyarrow reads it ({said(error)}).") from None
    if table.num_rows == 0:
        raise DataError(f"{shown(path)}: no record in it.")
    double = {name for name in table.column_names if table.column_names.count(name) > 1}
    if double:
        raise DataError(f"{shown(path)}: two columns are called {shown(min(double))}. Rename one of them.")
    return table
