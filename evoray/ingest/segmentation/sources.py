"""Images with their masks, whatever they come in: files in folders, two columns of Parquet, or a torch Dataset."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute
from PIL import Image

from evoray.data.decoding.opening import one_error, opened
from evoray.data.transform import as_image
from evoray.errors import ConfigError, DataError, PictureError
from evoray.ingest.segmentation.layouts import Layout, by_names, layout_of
from evoray.ingest.segmentation.pairing import apart, paired
from evoray.ingest.segmentation.palette import Palette
from evoray.ingest.sources.base import InPlace, Source, state_of
from evoray.ingest.sources.dataset import length_of, record_of
from evoray.ingest.sources.files import read_inside
from evoray.ingest.sources.flat import images_of
from evoray.runtime.reading import shown

IMAGE_NAMES = ("image", "img", "pixel_values")
MASK_NAMES = ("mask", "label", "labels", "annotation", "segmentation", "segmentation_mask")
ONE_CLASS = ("image",)


class Pairs(Source, Protocol):
    """A ``Source`` of the images (their own labels say nothing), and each one's mask.

    called: names of the masks' classes, where they are known. palette: how labels are read, unless the user says.
    in_one: whether one process is to read it.
    """

    @property
    def called(self) -> tuple[str, ...]: ...
    @property
    def palette(self) -> Palette | None: ...
    @property
    def in_one(self) -> bool: ...

    def pair(self, record: int) -> tuple[tuple[int, int] | None, Any]:
        """(width, height) of the image, None where it cannot be read; and the mask, as ``labels_of`` takes it."""
        ...


class _Unlabelled(InPlace):
    """A source of images whose labels are their masks."""

    names: Sequence[str]

    @property
    def labels(self) -> Sequence[int]:
        return [0] * len(self.names)


@dataclass
class FolderPairs(_Unlabelled):
    """Names are the images' paths from their folder."""

    layout: Layout
    names: Sequence[str]
    masks: Sequence[str]
    follow: bool
    notes: Sequence[str]
    classes: tuple[str, ...] = ONE_CLASS
    in_one: bool = False

    @classmethod
    def of(cls, root: Path, masks: Path | None, split: str | None, follow: bool, leave_out: bool) -> FolderPairs:
        """Raises ConfigError and DataError as ``layout_of`` and ``paired`` do."""
        layout = layout_of(root, masks, split)
        images, notes = images_of(layout.images, follow)
        if layout.masks.resolve() == layout.images.resolve():
            images, found = apart(images)
        else:
            found = images_of(layout.masks, follow)[0]
        images, found = ([name for name in names if layout.takes(name)] for names in (images, found))
        for names, folder in ((images, layout.images), (found, layout.masks)):
            if not names:
                raise DataError(f"{shown(folder)}: no pictures in it{_of_split(split)}.")
        both = paired(images, found, (shown(layout.images), shown(layout.masks)), leave_out)
        layout = by_names(layout, both.masks)
        left = [
            f"{count} {what} left out" for count, what in zip(both.without, ("images", "masks"), strict=True) if count
        ]
        pairs = f"{len(both.images)} images with masks{_of_split(split)}"
        return cls(layout, both.images, both.masks, follow, (pairs, *left, *layout.notes, *notes))

    @property
    def called(self) -> tuple[str, ...]:
        return self.layout.classes

    @property
    def palette(self) -> Palette | None:
        return self.layout.palette

    def open(self, record: int) -> bytes:
        return read_inside(self.layout.images, self.names[record], self.follow)

    def state(self, records: Iterable[int]) -> str:
        return state_of(str(self.layout.images / self.names[record]) for record in records)

    def pair(self, record: int) -> tuple[tuple[int, int] | None, bytes]:
        return _size(self, record), read_inside(self.layout.masks, self.masks[record], self.follow)


@dataclass
class TablePairs(_Unlabelled):
    """Two columns of pictures' bytes, or of Hugging Face's ``{bytes, path}``."""

    images: pa.ChunkedArray
    masks: pa.ChunkedArray
    names: Sequence[str]
    notes: Sequence[str]
    classes: tuple[str, ...] = ONE_CLASS
    called: tuple[str, ...] = ()
    palette: Palette | None = None
    in_one: bool = True

    @classmethod
    def of(cls, table: pa.Table, image: str | None, mask: str | None, origin: str) -> TablePairs:
        """Raises ConfigError where a column is not there, DataError where it holds no bytes of pictures."""
        chosen = [
            _column(table, named, usual, option, origin)
            for named, usual, option in ((image, IMAGE_NAMES, "--input"), (mask, MASK_NAMES, "--target"))
        ]
        images, masks = (_bytes(table, name, origin) for name in chosen)
        names = [f"record/{row}" for row in range(table.num_rows)]
        return cls(images, masks, names, (f"images: {shown(chosen[0], 60)}, masks: {shown(chosen[1], 60)}",))

    def open(self, record: int) -> bytes:
        found: bytes = self.images[record].as_py()
        return found

    def pair(self, record: int) -> tuple[tuple[int, int] | None, bytes]:
        return _size(self, record), self.masks[record].as_py()


@dataclass
class DatasetPairs(_Unlabelled):
    """Records (image, mask) of a torch Dataset. Its masks are asked for first and its images later, with the same
    mask."""

    dataset: Any
    names: Sequence[str]
    notes: Sequence[str]
    classes: tuple[str, ...] = ONE_CLASS
    called: tuple[str, ...] = ()
    palette: Palette | None = None
    in_one: bool = True
    seen: dict[int, int] = field(default_factory=dict)
    """A checksum of each mask that was given."""

    @classmethod
    def of(cls, dataset: Any) -> DatasetPairs:
        names = [f"record/{number}" for number in range(length_of(dataset))]
        return cls(dataset, names, (f"the Dataset {shown(type(dataset).__name__)} of (image, mask)",))

    def open(self, record: int) -> Image.Image:
        image, mask = self._record(record)
        if self.seen.get(record, _sum(mask)) != _sum(mask):
            raise DataError(
                f"{self.names[record]}: the Dataset gives another mask each time it is asked, as random transforms do, "
                "and so image and mask would not belong together. Leave random transforms out."
            )
        return as_image(image, self.names[record])

    def pair(self, record: int) -> tuple[tuple[int, int] | None, Any]:
        image, mask = self._record(record)
        self.seen[record] = _sum(mask)
        return as_image(image, self.names[record]).size, mask

    def _record(self, record: int) -> tuple[Any, Any]:
        where = self.names[record]
        found = record_of(self.dataset, record, where)
        if not isinstance(found, tuple | list) or len(found) != 2:
            raise DataError(f"{where}: a {type(found).__name__} and no pair. Give (image, mask).")
        return found[0], found[1]


def _size(pairs: Pairs, record: int) -> tuple[int, int] | None:
    try:
        with one_error():
            return opened(pairs.open(record)).size  # type: ignore[arg-type]
    except PictureError:  # it is listed as unreadable when it is decoded
        return None


def _sum(mask: Any) -> int:
    return zlib.crc32(np.ascontiguousarray(np.asarray(mask)).tobytes())


def _of_split(split: str | None) -> str:
    return "" if split is None else f" of {shown(split, 60)}"


def _column(table: pa.Table, named: str | None, usual: Sequence[str], option: str, origin: str) -> str:
    names: list[str] = table.column_names
    found = [name for name in names if name == named] if named else [name for name in names if name.lower() in usual]
    if len(found) != 1:
        what = f"no column {shown(named, 60)}" if named else f"{len(found)} columns are called {' or '.join(usual[:3])}"
        raise ConfigError(f"{origin}: {what}. Name it with {option}; there are {shown(', '.join(names), 200)}.")
    return found[0]


def _bytes(table: pa.Table, name: str, origin: str) -> pa.ChunkedArray:
    column = table.column(name)
    if pa.types.is_struct(column.type) and column.type.get_field_index("bytes") >= 0:
        column = pa.compute.struct_field(column, "bytes")
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if not (pa.types.is_binary(column.type) or pa.types.is_large_binary(column.type)):
        raise DataError(f"{origin}: column {shown(name, 60)} is {column.type}, and no pictures' bytes.")
    if column.null_count:
        row = column.is_null().index(True).as_py()
        raise DataError(f"{origin}: column {shown(name, 60)}, record {row} (the first is 0): no picture. Leave it out.")
    return column
