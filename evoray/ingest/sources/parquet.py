"""Parquet with image bytes, as Hugging Face's datasets have it."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from evoray.errors import DataError
from evoray.ingest.foreign import mistaken
from evoray.ingest.labels.columns import LABELS, Asked, listed, plain, position
from evoray.ingest.labels.values import Labels, label_text, labelled
from evoray.ingest.sources.base import SlicedSource, expand, state_of
from evoray.ingest.sources.splits import refuse_several
from evoray.runtime.reading import parse_json, shown

LARGEST_LABELS = 256 * 2**20
"""Of a file's column, in bytes."""
IMAGES = ("image", "img", "jpg", "png", "bytes")
"""Of several columns of bytes that are no known image's, the one called so counts."""
_SIGNS = (
    (0, b"\xff\xd8\xff"),
    (0, b"\x89PNG"),
    (0, b"GIF8"),
    (0, b"BM"),
    (0, b"P5"),
    (0, b"P6"),
    (0, b"II*\0"),
    (0, b"MM\0*"),
    (8, b"WEBP"),
    (0, b"\xff\x4f\xff\x51"),
    (4, b"jP  "),
)
"""What image files begin with, and where."""


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

    def state(self, _: Iterable[int]) -> str:
        return state_of(self.tables)

    def _copy(self, path: Path) -> np.ndarray:
        sizes: list[int] = []
        with open(path, "wb") as file:
            for table in self.tables:
                for batch in _batches(Path(table), self.column, 64):
                    for content in _encoded(batch.column(0)):
                        file.write(content)
                        sizes.append(len(content))
        return np.array(sizes, np.int64)


def open_parquet(pattern: str, asked: Asked | None = None) -> ParquetSource:
    """One file, a folder of them, or a pattern; class names from the schema's metadata, else numbers or names.

    Raises:
        DataError: no image or label column, or several; files of several splits, or of different schemas; a label that
            is no class.
    """
    asked = asked or Asked()
    files = expand(pattern, ".parquet")
    if not files:
        raise DataError(f"{shown(pattern)}: no .parquet files. Name the files of one split.")
    _one_split(pattern, files)
    refuse_several(pattern, files)
    schema = _schema(files[0])
    features = _features(schema)
    image = _image_column(files[0], schema, features, asked.file_column)
    label = _label_column(files[0], schema, features, image, asked.label_column)
    classes = _class_names(features.get(label))
    names: list[str] = []
    values: list[Any] = []
    for path in files:
        _check_alike(path, files[0], schema, label, classes)
        column = _values(path, label)
        names += [f"{path.name}/{row}" for row in range(len(column))]
        values += column
    if not values:
        raise DataError(f"{shown(pattern)}: no rows in it.")
    known = _labelled(names, values, classes, label, asked.as_classes)
    nothing = np.zeros(len(values), np.int64)
    which = np.zeros(len(values), np.int32)
    tables = tuple(str(path.absolute()) for path in files)
    said = (f"Parquet of {len(files)} files: images from column {shown(image, 60)}, labels from {shown(label, 60)}",)
    notes = (*said, *known.notes)
    return ParquetSource((), which, nothing, nothing, known.classes, names, known.indices, tables, image, notes=notes)


def _one_split(pattern: str, files: Sequence[Path]) -> None:
    """``train-00000-of-00014.parquet`` beside ``validation-…``: both at once is never meant."""
    splits = {found.group(1) for path in files if (found := re.fullmatch(r"(.+)-\d+-of-\d+.*", path.stem))}
    if len(splits) > 1:
        one = sorted(splits)[0]
        raise DataError(
            f"{shown(pattern)}: several splits ({listed(sorted(splits))}). "
            f'Name one, such as "{shown(files[0].parent)}/{shown(one, 60)}-*".'
        )


@contextlib.contextmanager
def _readable(path: Path) -> Iterator[None]:
    """What Arrow raises on a damaged file, as one kind; some of it is no ArrowException."""
    try:
        yield
    except (
        OSError,
        pa.ArrowException,
        ValueError,
        LookupError,
        OverflowError,
        MemoryError,
        NotImplementedError,
    ) as error:
        if (other := mistaken(path, "Parquet file", "a Parquet file")) is not None:
            raise other from None
        raise DataError(f"{shown(path)}: no Parquet file, or damaged ({shown(error)}). Copy it again.") from None


def _schema(path: Path) -> pa.Schema:
    with _readable(path):
        return pq.read_schema(path)


def _features(schema: pa.Schema) -> dict[str, Any]:
    try:
        described = parse_json((schema.metadata or {}).get(b"huggingface", b"{}"), "its metadata")
        return dict(described["info"]["features"])
    except (DataError, ValueError, KeyError, TypeError):
        return {}


def _image_column(path: Path, schema: pa.Schema, features: dict[str, Any], asked: str | None) -> str:
    """The column of image bytes: the one that is called so where several hold bytes, and only one of them images."""
    if asked is not None:
        name = schema.names[position(schema.names, asked, "--file-column", shown(path))]
        if not _holds_bytes(schema.field(name).type):
            raise DataError(
                f"{shown(path)}: the column {shown(name, 60)} holds {schema.field(name).type}, no image bytes."
            )
        return str(name)
    found = [column.name for column in schema if _holds_bytes(column.type)]
    if not found:
        raise DataError(
            f"{shown(path)}: no column of image bytes among {listed(schema.names)}. "
            "Write each image's file into one, as bytes: paths and arrays of numbers are not read."
        )
    if len(found) > 1:
        typed = [name for name in found if _kind(features.get(name)) == "Image"]
        found = typed or [name for name in found if _is_picture(path, name)] or found
    if len(found) > 1 and not any(_is_picture(path, name) for name in found):
        found = [name for name in found if name in IMAGES] or found
    if len(found) > 1:
        raise DataError(f"{shown(path)}: the columns {listed(found)} hold images. Say which with --file-column.")
    return str(found[0])


def _holds_bytes(kind: pa.DataType) -> bool:
    if pa.types.is_struct(kind):
        return kind.get_field_index("bytes") >= 0 and _holds_bytes(kind.field("bytes").type)
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_binary_view(kind))


def _is_picture(path: Path, column: str) -> bool:
    """Whether the first bytes of a column are an image file's."""
    for batch in _batches(path, column, 16):
        for content in _encoded(batch.column(0)):
            if content:
                return any(content[at : at + len(sign)] == sign for at, sign in _SIGNS)
    return False


def _label_column(path: Path, schema: pa.Schema, features: dict[str, Any], image: str, asked: str | None) -> str:
    """The one of Hugging Face's kind ClassLabel, else the one with a usual name."""
    if asked is not None:
        return str(schema.names[position(schema.names, asked, "--label-column", shown(path))])
    others = [name for name in schema.names if name != image]
    typed = [name for name in others if _kind(features.get(name)) == "ClassLabel"]
    found = typed or [name for name in others if plain(name) in LABELS]
    if not found:
        raise DataError(
            f"{shown(path)}: no column of labels (label, class, target, …) among {listed(schema.names)}. "
            "Name one with --label-column."
        )
    if len(found) > 1 or schema.names.count(found[0]) > 1:
        raise DataError(
            f"{shown(path)}: the label could be in the columns {listed(found)}. Say which with --label-column."
        )
    return str(found[0])


def _kind(feature: Any) -> str:
    return str(feature.get("_type", "")) if isinstance(feature, dict) else ""


def _class_names(feature: Any) -> list[str] | None:
    names = feature.get("names") if isinstance(feature, dict) and _kind(feature) == "ClassLabel" else None
    return [str(name) for name in names] if isinstance(names, list) and names else None


def _check_alike(path: Path, first: Path, schema: pa.Schema, label: str, classes: list[str] | None) -> None:
    own = _schema(path)
    names = _class_names(_features(own).get(label))
    if own != schema or (names is not None and names != classes):
        what = "columns" if own != schema else "class names"
        raise DataError(f"{shown(path)}: its {what} are not those of {shown(first)}. Name files of one kind.")


def _batches(path: Path, column: str, rows: int) -> Iterator[pa.RecordBatch]:
    """Of one column; raises DataError where the file is damaged."""
    with _readable(path), pq.ParquetFile(path) as file:
        yield from file.iter_batches(rows, columns=[column])


def _values(path: Path, column: str) -> list[Any]:
    """Of a column of labels, which is small: what unpacks to more is none.

    Its size is counted as it unpacks: the sizes in a damaged file's metadata end the process when Arrow reads them.
    """
    values: list[Any] = []
    unpacked = 0
    for batch in _batches(path, column, 512):
        unpacked += batch.nbytes
        if unpacked > LARGEST_LABELS:
            raise DataError(
                f"{shown(path)}: the column {shown(column, 60)} unpacks to more than {LARGEST_LABELS:,} bytes: "
                "no labels."
            )
        values += batch.column(0).to_pylist()
    return values


def _labelled(names: list[str], values: list[Any], classes: list[str] | None, column: str, as_classes: bool) -> Labels:
    def where(row: int) -> str:
        file, _, number = names[row].rpartition("/")
        return f"{shown(file)}: row {number} of column {shown(column, 60)}"

    texts = [label_text(value, where(row)) for row, value in enumerate(values)]
    if classes is None:
        return labelled(texts, where, column, as_classes, null=True)
    for row, text in enumerate(texts):
        if not (text.isdecimal() and len(text) < 10 and int(text) < len(classes)):
            raise DataError(
                f"{where(row)} has the label {shown(repr(values[row]), 80)}, beyond the {len(classes)} classes of its "
                "metadata. Images without a label (a test split) cannot be judged."
            )
    return Labels(tuple(classes), [int(text) for text in texts], ())


def _encoded(column: pa.Array) -> list[bytes]:
    """Image bytes; a row without any gives none, and is listed as unreadable."""
    if pa.types.is_struct(column.type):
        column = column.field("bytes")
    return [content or b"" for content in column.to_pylist()]
