"""Parquet with image bytes, as Hugging Face's datasets have it."""

import contextlib
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from evoray.data.decoding.formats import claimed, name_of
from evoray.errors import DataError, PictureError
from evoray.ingest.foreign import mistaken
from evoray.ingest.labels.columns import LABELS, Asked, listed, plain, position
from evoray.ingest.labels.division import NAMES, of_column
from evoray.ingest.labels.values import Labels, label_text, labelled
from evoray.ingest.partitions import columns_of, partition_of
from evoray.ingest.sources.base import SlicedSource, expand, short_names, state_of
from evoray.ingest.sources.features import class_names, features_of, kind_of
from evoray.ingest.sources.files import read_inside
from evoray.ingest.sources.splits import of_split
from evoray.runtime.reading import shown

LARGEST_LABELS = 256 * 2**20
"""Of a file's column, in bytes."""
IMAGES = ("image", "img", "jpg", "png", "bytes")
"""Of several columns of bytes that are no known image's, the one called so counts."""


@dataclass
class ParquetSource(SlicedSource):
    """A row group can only be read whole, and shards take records from all of them.

    So ``prepare`` copies the encoded images, one after another, into a file beside the shards, from which workers
    read at random; it needs the room of the source once more while the ingest goes on.
    """

    tables: tuple[str, ...] = ()
    column: str = ""
    folder: str = ""
    """The folder that was named, where one was."""
    rows: np.ndarray | None = None
    """Of all tables one after another, the rows that count; None where all do."""

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
        if self.rows is not None:
            self.sizes, self.offsets = self.sizes[self.rows], self.offsets[self.rows]

    def state(self, _: Iterable[int]) -> str:
        return state_of(self.tables)

    def _copy(self, path: Path) -> np.ndarray:
        sizes: list[int] = []
        lost: list[str] = []
        with open(path, "wb") as file:
            for table in self.tables:
                folders = (os.path.dirname(table), self.folder or os.path.dirname(table))
                for batch in _batches(Path(table), self.column, 64):
                    for content in _encoded(batch.column(0), folders, lost):
                        file.write(content)
                        sizes.append(len(content))
        if lost and not any(sizes):
            raise _no_bytes(self.tables[0], self.folder or os.path.dirname(self.tables[0]), lost[0])
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
    files, taken = of_split(pattern, files, asked.split)
    schema = _schema(files[0])
    features = features_of(schema, shown(files[0]))
    image = _image_column(files[0], schema, features, asked.file_column)
    label = _label_column(files[0], schema, features, image, asked.label_column, columns_of(files))
    classes = class_names(features.get(label), shown(files[0]))
    names: list[str] = []
    values: list[Any] = []
    for path, short in zip(files, short_names(files), strict=True):
        _check_alike(path, files[0], schema, label, classes)
        column = _values(path, label) if label in schema.names else [partition_of(path)[label]] * _rows(path)
        names += [f"{short}/{row}" for row in range(len(column))]
        values += column
    if not values:
        raise DataError(f"{shown(pattern)}: no rows in it.")
    known = _labelled(names, values, classes, label, asked.as_classes)
    rows, divided = _counted(files, schema, {image, label}, asked)
    names, indices = [names[row] for row in rows], [known.indices[row] for row in rows]
    nothing = np.zeros(len(rows), np.int64)
    which = np.zeros(len(rows), np.int32)
    tables = tuple(str(path.absolute()) for path in files)
    folders = "" if label in schema.names else "the folders' "
    said = (
        f"Parquet of {len(files)} files: images from column {shown(image, 60)}, labels from {folders}{shown(label, 60)}"
    )
    source = ParquetSource((), which, nothing, nothing, known.classes, names, indices, tables, image)
    source.notes, source.folder = (said, *taken, *divided, *known.notes), pattern if os.path.isdir(pattern) else ""
    source.rows = np.array(rows, np.int64) if len(rows) < len(values) else None
    return source


def _counted(
    files: Sequence[Path], schema: pa.Schema, taken: set[str], asked: Asked
) -> tuple[Sequence[int], tuple[str, ...]]:
    """The rows that count, by the column of ``--only``; and what is said of it.

    taken: the columns of images and labels.

    Raises:
        DataError: a column says train and test, and which is meant is not said; or ``--only`` names none.
    """
    count = sum(_rows(path) for path in files)
    if asked.only is not None:
        column = schema.names[position(schema.names, asked.only.partition("=")[0], "--only", shown(files[0]))]
        rows = of_column(files[0], column, _texts(files, column), asked.only) or ()
        return rows, (f"--only {shown(asked.only, 80)}: {len(rows)} of {count} rows count",)
    for name in schema.names:
        if plain(name) in NAMES and name not in taken and schema.names.count(name) == 1:
            of_column(files[0], name, _texts(files, name), None)
    return range(count), ()


def _texts(files: Sequence[Path], column: str) -> list[str]:
    """A column's values as lists have them."""
    values = (value for path in files for value in _values(path, column))
    return ["" if value is None else value.decode(errors="replace") if isinstance(value, bytes) else str(value)
            for value in values]  # fmt: skip


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
        typed = [name for name in found if kind_of(features.get(name)) == "Image"]
        found = typed or [name for name in found if _is_picture(path, name)] or found
    if len(found) > 1 and not any(_is_picture(path, name) for name in found):
        found = [name for name in found if name in IMAGES] or found
    if len(found) > 1:
        raise DataError(f"{shown(path)}: the columns {listed(found)} hold images. Say which with --file-column.")
    return str(found[0])


def _holds_bytes(kind: pa.DataType) -> bool:
    if pa.types.is_struct(kind):
        at = kind.get_field_index("bytes")
        paths = kind.get_field_index("path") >= 0
        return at >= 0 and (_holds_bytes(kind.field(at).type) or (paths and pa.types.is_null(kind.field(at).type)))
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_binary_view(kind))


def _is_picture(path: Path, column: str) -> bool:
    """Whether the first bytes of a column are an image file's."""
    for batch in _batches(path, column, 16):
        for content in _encoded(batch.column(0)):
            if content:
                return claimed(content) is not None or name_of(content) == "JPEG 2000"
    return False


def _label_column(
    path: Path, schema: pa.Schema, features: dict[str, Any], image: str, asked: str | None, folders: Sequence[str]
) -> str:
    """The one of Hugging Face's kind ClassLabel, else the one with a usual name; folders: columns that those name."""
    if asked is not None:
        known = [*schema.names, *(name for name in folders if name not in schema.names)]
        return str(known[position(known, asked, "--label-column", shown(path))])
    others = [name for name in schema.names if name != image]
    typed = [name for name in others if kind_of(features.get(name)) == "ClassLabel"]
    found = typed or [name for name in others if plain(name) in LABELS]
    found = found or [name for name in folders if plain(name) in LABELS]
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


def _check_alike(path: Path, first: Path, schema: pa.Schema, label: str, classes: list[str] | None) -> None:
    own = _schema(path)
    names = class_names(features_of(own, shown(path)).get(label), shown(path))
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
    index = {name: label for label, name in enumerate(classes)}
    if all(isinstance(value, str | bytes) for value in values) and index.keys() >= set(texts):
        return Labels(tuple(classes), [index[text] for text in texts], ())  # as ClassLabel.str2int takes them
    for row, text in enumerate(texts):
        if not (text.isdecimal() and len(text) < 10 and int(text) < len(classes)):
            raise DataError(
                f"{where(row)} has the label {shown(repr(values[row]), 80)}, beyond the {len(classes)} classes of its "
                "metadata. Images without a label (a test split) cannot be judged."
            )
    return Labels(tuple(classes), [int(text) for text in texts], ())


def _rows(path: Path) -> int:
    with _readable(path):
        rows = int(pq.read_metadata(path).num_rows)
    if rows > path.stat().st_size:
        raise DataError(f"{shown(path)}: damaged: it says that it has {rows:,} rows. Copy it again.")
    return rows


def _encoded(column: pa.Array, folders: Sequence[str] = (), lost: list[str] | None = None) -> list[bytes]:
    """Image bytes; a row without any gives none, and is listed as unreadable.

    Args:
        folders: below which a path that stands in place of the bytes is looked for.
        lost: gets the first such path that is no file there.
    """
    if not pa.types.is_struct(column.type):
        return [content or b"" for content in column.to_pylist()]
    encoded = [content or b"" for content in column.field("bytes").to_pylist()]
    if folders and not all(encoded) and column.type.get_field_index("path") >= 0:
        for row, name in enumerate(column.field("path").to_pylist()):
            if not encoded[row] and isinstance(name, str) and name:
                encoded[row] = _beside(folders, name)
                if not encoded[row] and lost is not None and not lost:
                    lost.append(name)
    return encoded


def _beside(folders: Sequence[str], name: str) -> bytes:
    """A picture that a row names, ``{"bytes": null, "path": "images/1.jpg"}``; nothing where it is no file."""
    for folder in dict.fromkeys(folders):
        try:
            return read_inside(folder, name)
        except (OSError, ValueError, PictureError):
            continue
    return b""


def _no_bytes(table: str, folder: str, name: str) -> DataError:
    return DataError(
        f"{shown(table)}: no row has an image's bytes; the first names the path {shown(name, 120)}, which is no file "
        f"below {shown(folder)}. Copy the images there, or write their bytes into the column."
    )
