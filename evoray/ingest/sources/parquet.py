"""Parquet with image bytes, as Hugging Face's datasets have it."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from evoray.errors import DataError
from evoray.ingest.sources.base import SlicedSource, class_index, expand

IMAGES = ("image", "img", "jpg", "png", "bytes")
LABELS = ("label", "labels", "fine_label", "class", "cls", "target")


@dataclass
class ParquetSource(SlicedSource):
    """A row group can only be read whole, and shards take records from all of them.

    So ``prepare`` copies the encoded images, one after another, into a file beside the shards, from which workers
    read at random; it needs the room of the source once more while the ingest goes on.
    """

    tables: tuple[str, ...] = ()
    column: str = ""

    def prepare(self, directory: Path) -> None:
        spool, index = directory / "images.bin", directory / "images.npy"
        if not index.is_file():
            sizes = self._copy(directory / "images.bin")
            with open(directory / "images.npy.part", "wb") as file:
                np.save(file, sizes)
            os.replace(directory / "images.npy.part", index)
        self.files = (str(spool.absolute()),)
        self.sizes = np.load(index)
        self.offsets = np.cumsum(self.sizes) - self.sizes

    def _copy(self, path: Path) -> np.ndarray:
        sizes: list[int] = []
        with open(path, "wb") as file:
            for table in self.tables:
                for batch in pq.ParquetFile(table).iter_batches(64, columns=[self.column]):
                    for content in _encoded(batch.column(0)):
                        file.write(content)
                        sizes.append(len(content))
        return np.array(sizes, np.int64)


def open_parquet(pattern: str) -> ParquetSource:
    """One file, a folder of them, or a pattern; class names from the schema's metadata, else numbers or names.

    Raises:
        DataError: no image or label column, files of several splits, or of different schemas.
    """
    files = expand(pattern, ".parquet")
    if not files:
        raise DataError(f"{pattern}: no .parquet files. Name the files of one split.")
    _one_split(pattern, files)
    schema = _schema(files[0])
    features = _features(schema)
    image, label = _image_column(files[0], schema), _label_column(files[0], schema, features)
    names: list[str] = []
    values: list[Any] = []
    for path in files:
        if _schema(path) != schema:
            raise DataError(f"{path}: its columns are not those of {files[0]}. Name files of one kind.")
        column = pq.read_table(path, columns=[label]).column(0).to_pylist()
        names += [f"{path.name}/{row}" for row in range(len(column))]
        values += column
    if not values:
        raise DataError(f"{pattern}: no rows in it.")
    classes, labels = _labelled(files[0], values, features.get(label, {}).get("names"), label)
    nothing = np.zeros(len(values), np.int64)
    which = np.zeros(len(values), np.int32)
    tables = tuple(str(path.absolute()) for path in files)
    return ParquetSource((), which, nothing, nothing, classes, names, labels, tables, image)


def _one_split(pattern: str, files: Sequence[Path]) -> None:
    """``train-00000-of-00014.parquet`` beside ``validation-…``: both at once is never meant."""
    splits = {found.group(1) for path in files if (found := re.fullmatch(r"(.+)-\d+-of-\d+.*", path.stem))}
    if len(splits) > 1:
        one = sorted(splits)[0]
        raise DataError(
            f'{pattern}: several splits ({", ".join(sorted(splits))}). Name one, such as "{files[0].parent}/{one}-*".'
        )


def _schema(path: Path) -> pa.Schema:
    try:
        return pq.read_schema(path)
    except (OSError, pa.ArrowException) as error:
        raise DataError(f"{path}: no Parquet file, or damaged ({error}).") from None


def _features(schema: pa.Schema) -> dict[str, Any]:
    try:
        described = json.loads((schema.metadata or {}).get(b"huggingface", b"{}"))
        return dict(described["info"]["features"])
    except (ValueError, KeyError, TypeError):
        return {}


def _image_column(path: Path, schema: pa.Schema) -> str:
    def holds_bytes(kind: pa.DataType) -> bool:
        if pa.types.is_struct(kind):
            return kind.get_field_index("bytes") >= 0 and holds_bytes(kind.field("bytes").type)
        return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))

    found = [column.name for column in schema if holds_bytes(column.type)]
    found.sort(key=lambda name: IMAGES.index(name) if name in IMAGES else len(IMAGES))
    if not found:
        raise DataError(f"{path}: no column of image bytes among {', '.join(schema.names)}.")
    return str(found[0])


def _label_column(path: Path, schema: pa.Schema, features: dict[str, Any]) -> str:
    named = [name for name, kind in features.items() if isinstance(kind, dict) and kind.get("_type") == "ClassLabel"]
    found = [name for name in LABELS if name in named] or named or [name for name in LABELS if name in schema.names]
    if not found or found[0] not in schema.names:
        raise DataError(f"{path}: no column of labels ({', '.join(LABELS)}) among {', '.join(schema.names)}.")
    return found[0]


def _labelled(path: Path, values: list[Any], names: Any, column: str) -> tuple[tuple[str, ...], list[int]]:
    for row, value in enumerate(values):
        if isinstance(value, bool) or not isinstance(value, int | str) or value in ("", -1):
            raise DataError(
                f"{path}: row {row} has the {column} {value!r}. Images without a label (a test split) cannot be judged."
            )
    if names is None:
        classes, index = class_index(str(value) for value in values)
        return classes, [index[str(value)] for value in values]
    if not all(isinstance(value, int) and 0 <= value < len(names) for value in values):
        raise DataError(f"{path}: the column {column} holds labels beyond the {len(names)} classes of its metadata.")
    return tuple(str(name) for name in names), values


def _encoded(column: pa.Array) -> list[bytes]:
    """Image bytes; a row without any gives none, and is listed as unreadable."""
    if pa.types.is_struct(column.type):
        column = column.field("bytes")
    return [content or b"" for content in column.to_pylist()]
