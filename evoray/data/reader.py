"""A shard directory, here or at a URI, as a dataset: labelled images, or records of any other task."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np
import pyarrow as pa

from evoray.data.cache import Remote, ShardCache
from evoray.data.manifest import NAME, Manifest, ShardEntry, content_of, values_of
from evoray.data.record_manifest import FORMAT, RecordManifest
from evoray.data.records import Records, from_arrow
from evoray.data.schema import Schema
from evoray.data.shard import Shard, ShardDataset
from evoray.data.shard_files import REMEDY, Place, ShardFiles
from evoray.errors import DataError
from evoray.runtime.paths import expanded
from evoray.runtime.reading import shown

COLUMNS = {"image": pa.types.is_fixed_size_binary, "label": pa.int64(), "source": pa.string()}
"""Of every shard of labelled images, with their Arrow types."""
Made = TypeVar("Made", Manifest, RecordManifest)


def place_of(spec: str) -> Place:
    """A directory as it is named, its ``~`` and variables replaced, or a URI."""
    return Remote(spec) if "://" in spec else Path(expanded(spec))


def read_manifest(place: Place) -> Manifest | RecordManifest:
    """Raises DataError when there is none, or it is not what was written."""
    content, path = place.manifest() if isinstance(place, Remote) else content_of(place)
    values = values_of(content, path)
    if isinstance(values, dict) and values.get("format") == FORMAT:
        return RecordManifest.of(values, path)
    return Manifest.parse(content, path)


def open_shards(place: Place, cache: ShardCache | None = None) -> ShardDataset:
    """The dataset of a shard directory; see ``read_manifest``."""
    manifest = read_manifest(place)
    if isinstance(manifest, RecordManifest):
        return RecordDataset(ShardFiles(place, cache), manifest)
    return ArrowDataset(place, cache, manifest)


class _Described(Generic[Made]):
    """What a directory's manifest says of its shards; the rest of ``ShardDataset`` is the subclasses'."""

    def __init__(self, files: ShardFiles, manifest: Made, columns: Mapping[str, Any]) -> None:
        self._files, self._columns = files, columns
        self.manifest: Made = manifest
        self.name = files.name
        self.classes = manifest.classes
        self.shard_rows = tuple(shard.rows for shard in manifest.shards)
        self.image_shape = manifest.image_shape
        self.digest = manifest.digest
        self.records: Schema | None = manifest.records

    def sources(self, index: int) -> pa.ChunkedArray | None:
        """Names of a shard's records, unchecked: to look for, not to answer with. None where they would be fetched."""
        return self._files.unchecked(self.manifest.shards[index], self._columns, "source")


class ArrowDataset(_Described[Manifest]):
    """Labelled images, as ``evoray data ingest`` makes them: a directory, or a URI with a cache on this node."""

    def __init__(self, place: Place, cache: ShardCache | None = None, manifest: Manifest | None = None) -> None:
        found = manifest or read_manifest(place)
        if not isinstance(found, Manifest):
            raise DataError(f"{shown(place)}: shards of {found.task}, not of labelled images.")
        super().__init__(ShardFiles(place, cache), found, COLUMNS)

    def load(self, index: int) -> Shard:
        entry = self.manifest.shards[index]
        batches = self._files.table(index, entry, self._columns)
        self._check_described(entry, batches)
        images = [_images(chunk, self.image_shape) for chunk in batches.column("image").chunks]
        return Shard(
            index,
            images[0] if len(images) == 1 else np.concatenate(images),
            batches.column("label").to_numpy(),
            batches.column("source").to_pylist(),
        )

    def _check_described(self, entry: ShardEntry, batches: pa.Table) -> None:
        """A whole shard under an edited manifest would give wrong pictures, or labels without a class."""
        columns = {field.name: str(field.type) for field in batches.schema}
        if self.records is not None and (lacking := self.records.lacking(columns)):
            raise DataError(f"{self.name}/{NAME}: {entry.file} has no {', '.join(lacking)}. Ingest the images again.")
        labels = batches.column("label").to_numpy()
        if (
            len(labels) != entry.rows
            or batches.schema.field("image").type != pa.binary(math.prod(self.image_shape))
            or labels.min() < 0
            or labels.max() >= len(self.classes)
        ):
            raise DataError(
                f"{self.name}/{NAME}: does not describe {entry.file} (rows, image_shape or classes differ). {REMEDY}"
            )


class RecordDataset(_Described[RecordManifest]):
    """Shards of ``RecordManifest``; see ``ShardDataset``."""

    def __init__(self, files: ShardFiles, manifest: RecordManifest) -> None:
        columns = {name: one.arrow for name, one in manifest.columns.items()} | {"source": pa.string()}
        super().__init__(files, manifest, columns)
        self.read = manifest.read

    def load(self, index: int) -> Records:
        """One shard; DataError naming the file when it is damaged or is not what the manifest says."""
        entry = self.manifest.shards[index]
        table = self._files.table(index, entry, self._columns)
        if table.num_rows != entry.rows:
            raise DataError(f"{shown(self.name)}/{NAME}: does not describe {entry.file} (rows differ). {REMEDY}")
        columns = {name: from_arrow(table.column(name), one) for name, one in self.manifest.columns.items()}
        return Records(index, columns, table.column("source").to_pylist())


def _images(chunk: pa.FixedSizeBinaryArray, shape: tuple[int, int, int]) -> np.ndarray:
    """uint8 [n, C, H, W], a view of the mapped file."""
    width = chunk.type.byte_width
    data = np.frombuffer(chunk.buffers()[1], dtype=np.uint8)
    return data[chunk.offset * width : (chunk.offset + len(chunk)) * width].reshape(len(chunk), *shape)
