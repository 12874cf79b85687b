"""What ``--data`` names: shards that are there, or images, masks, texts or a table that have to be ingested."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
from PIL import Image

from evoray.begin.init.parents import FUNCTION
from evoray.data import open_dataset, place_of, read_manifest
from evoray.data.ready.packaged import PACKAGED
from evoray.data.record_manifest import RecordManifest
from evoray.errors import ConfigError, DataError
from evoray.ingest.names import is_image
from evoray.ingest.records.tables import is_table, read_table
from evoray.ingest.records.text_tables import LABELS
from evoray.ingest.segmentation.layouts import layout_of
from evoray.ingest.sources import Source, open_source
from evoray.ingest.understood import understood
from evoray.runtime.importing import import_function
from evoray.runtime.origin import NoExit
from evoray.runtime.paths import expanded
from evoray.runtime.reading import quoted, shown

MANIFEST = "manifest.json"
TARGETS = ("target", "y", "value", *LABELS)
CHOICES = ("choices", "options", "endings")
LOOKED = 32
"""Images whose size is looked at."""
LISTED = 20
"""Columns of a table that a sentence names."""


@dataclass(frozen=True)
class FoundData:
    """source: what is to be ingested, "" where ``path`` is shards already. said: what was found, a sentence each.

    task: what shards are of, or what kind of raw data says; "" where it is open. columns: of a table. options: for
    ``data ingest``. size: (width, height) where all images that were looked at have one.
    """

    path: str
    source: str
    said: tuple[str, ...]
    task: str = ""
    classes: int | None = None
    columns: tuple[str, ...] = ()
    numeric: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    size: tuple[int, int] | None = None


def find_data(named: str, wants_masks: bool) -> FoundData:
    """What a user names. wants_masks: the parent segments images.

    Raises:
        ConfigError, DataError: nothing is there, or nothing that is known; with the remedy.
    """
    if not named or "\0" in named:
        raise ConfigError(f"--data {quoted(named)}: no name. Name a shard directory, or what is to be ingested.")
    path = Path(expanded(named))
    if named in PACKAGED or named.startswith("mock:"):
        if named not in PACKAGED:
            open_dataset(named)  # what it asks for may be none
        return FoundData(named, "", (f"{shown(named)}: data that comes with EvoRay",), "image-classification")
    if "://" in named or os.path.isfile(path / MANIFEST):
        return _shards(named)
    if not os.path.exists(path) and FUNCTION.fullmatch(named):
        with NoExit(Path.cwd(), DataError):
            import_function(named, Path.cwd())
        said = (f"{shown(named)}: a function that returns a torch Dataset; it was not called",)
        return FoundData("", named, said)
    if wants_masks:
        return _masks(path)
    if os.path.isfile(path) and is_table(named):
        return _table(path)
    return _images(str(path))


def _shards(named: str) -> FoundData:
    manifest = read_manifest(place_of(named))
    if isinstance(manifest, RecordManifest):
        said = f"{shown(named)}: shards of {manifest.rows:,} records for {manifest.task}"
        return FoundData(named, "", (said,), manifest.task, len(manifest.classes) or None)
    said = f"{shown(named)}: shards of {manifest.rows:,} images of {len(manifest.classes):,} classes"
    return FoundData(named, "", (said,), "image-classification", len(manifest.classes))


def _images(named: str, options: tuple[str, ...] = (), labels: Path | None = None) -> FoundData:
    source = open_source(named, None, labels)
    said = (f"{shown(named)}: images", *understood(source))
    return FoundData("", named, said, "image-classification", len(source.classes), options=options, size=_size(source))


def _masks(path: Path) -> FoundData:
    if os.path.isdir(path):
        layout = layout_of(path, None, None)
        said = (f"{shown(path)}: images in {shown(layout.images)}, masks in {shown(layout.masks)}", *layout.notes)
        return FoundData("", str(path), said, "segmentation", len(layout.classes) or None)
    return FoundData("", str(path), (f"{shown(path)}: images and masks",), "segmentation")


def _table(path: Path) -> FoundData:
    """Rows of numbers or texts, a list of images, or Parquet with images in it."""
    if path.suffix.lower() == ".parquet":
        try:
            return _images(str(path))
        except DataError:
            pass  # no images in it
    table = read_table(path)
    if (files := _column_of_files(table, path.parent)) is not None:
        return _images(str(files), ("--labels", str(path)), path)
    names = tuple(table.column_names)
    numeric = tuple(name for name in names if _is_numeric(table.schema.field(name).type))
    more = f", and {len(names) - LISTED} more" if len(names) > LISTED else ""
    columns = ", ".join(shown(name, 40) for name in names[:LISTED])
    said = (f"{shown(path)}: a table of {table.num_rows:,} records; columns {columns}{more}",)
    return FoundData("", str(path), said, columns=names, numeric=numeric)


def _column_of_files(table: pa.Table, beside: Path) -> Path | None:
    """The folder of the images that a column names; None where none does."""
    for name in table.column_names:
        column = table.column(name)
        if not pa.types.is_string(column.type) or column.null_count:
            continue
        values = column.slice(0, LOOKED).to_pylist()
        if not all(is_image(str(value)) for value in values):
            continue
        folders = [beside, *(entry for entry in sorted(beside.iterdir()) if entry.is_dir())]
        for folder in folders:
            if all((folder / str(value)).is_file() for value in values):
                return folder
    return None


def _is_numeric(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind))


def _size(source: Source) -> tuple[int, int] | None:
    """Of the images looked at, where they all have one; their headers alone are read."""
    import io

    step = max(1, len(source.names) // LOOKED)
    sizes = set()
    for record in range(0, len(source.names), step):
        try:
            opened = source.open(record)
            with Image.open(io.BytesIO(opened)) if isinstance(opened, bytes) else opened as image:
                sizes.add(image.size)
        except Exception:  # whatever a picture does: ingest lists it
            continue
    return sizes.pop() if len(sizes) == 1 else None


def usual(columns: Sequence[str], names: Sequence[str]) -> str | None:
    """The first column that is called like one of some names."""
    lower = {name.lower(): name for name in reversed(columns)}
    return next((lower[name] for name in names if name in lower), None)


def shards_name(source: str) -> str:
    """What a directory of shards made of a source is called."""
    last = os.path.basename(os.path.abspath(source)) if ":" not in source else source.rpartition(":")[2]
    stem = last.partition(".")[0] or "data"
    return "".join(sign if sign.isalnum() or sign in "-_" else "-" for sign in stem)
