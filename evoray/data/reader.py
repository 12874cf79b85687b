"""Shards mapped into memory from a local disk; each is checked against its digest when it is first read.

A directory's shards are mapped where they lie (NFS too); a URI's are fetched into this node's cache first.
"""

from __future__ import annotations

import hashlib
import math
import os
from pathlib import Path

import numpy as np
import pyarrow as pa

from evoray.data.cache import Remote, ShardCache, make_cache
from evoray.data.manifest import NAME, Manifest, ShardEntry
from evoray.data.shard import Shard
from evoray.errors import DataError
from evoray.runtime.arrow import read_arrow
from evoray.runtime.paths import expanded
from evoray.runtime.reading import open_regular, said, shown, translated

REMEDY = "Copy it again, or ingest the images again."
COLUMNS = {"image": pa.types.is_fixed_size_binary, "label": pa.int64(), "source": pa.string()}
"""Of every shard, with their Arrow types; a task may ask for more."""
Place = Path | Remote
"""Where shards lie: a directory, or a ``pyarrow.fs`` URI."""


def place_of(spec: str) -> Place:
    """A directory as it is named, its ``~`` and variables replaced, or a URI."""
    return Remote(spec) if "://" in spec else Path(expanded(spec))


def read_manifest(place: Place) -> Manifest:
    """Raises DataError when there is none, or it is not what was written."""
    return place.manifest() if isinstance(place, Remote) else Manifest.read(place)


class ArrowDataset:
    """What ``evoray data ingest`` made: a directory, or a URI with a cache on this node."""

    def __init__(self, place: Place, cache: ShardCache | None = None) -> None:
        # shards are opened later, and the program may have gone to another folder by then
        self._place = place.absolute() if isinstance(place, Path) else place
        self._cache = cache or make_cache(None, None)
        self.name = str(place)
        self.manifest = read_manifest(place)
        self.classes = self.manifest.classes
        self.shard_rows = tuple(shard.rows for shard in self.manifest.shards)
        self.image_shape = self.manifest.image_shape
        self.digest = self.manifest.digest
        self.records = self.manifest.records
        self._checked: set[int] = set()

    def load(self, index: int) -> Shard:
        entry = self.manifest.shards[index]
        try:
            batches = self._mapped(self._path(index, entry))
        except FileNotFoundError:  # another worker made room in the cache just now
            batches = self._mapped(self._path(index, entry))
        self._check_described(entry, batches)
        images = [_images(chunk, self.image_shape) for chunk in batches.column("image").chunks]
        return Shard(
            index,
            images[0] if len(images) == 1 else np.concatenate(images),
            batches.column("label").to_numpy(),
            batches.column("source").to_pylist(),
        )

    def sources(self, index: int) -> pa.ChunkedArray | None:
        """Names of a shard's images, unchecked: to look for, not to answer with. None where they would be fetched."""
        if isinstance(self._place, Remote):
            return None
        path = self._place / self.manifest.shards[index].file
        check_inside(self._place, path)
        try:
            open_regular(path).close()
            return self._mapped(path).column("source")
        except (OSError, pa.ArrowException) as error:
            raise DataError(f"{shown(path)}: cannot be read ({said(error)}). {REMEDY}") from None

    def _path(self, index: int, entry: ShardEntry) -> Path:
        """The shard on a local disk, checked once a process."""
        if not isinstance(self._place, Remote):
            path = self._place / entry.file
            if index not in self._checked:
                check_inside(self._place, path)
                check_file(path, entry)
        else:
            path = self._cache.fetch(self._place, entry)
            if index not in self._checked and not _is_whole(path, entry):
                self._cache.drop(entry)
                path = self._cache.fetch(self._place, entry)
                check_file(path, entry)
        self._checked.add(index)
        return path

    def _mapped(self, path: Path) -> pa.Table:
        with pa.memory_map(str(path)) as mapped, translated(path, REMEDY):
            return read_arrow(mapped, COLUMNS)

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


def check_inside(directory: Path, path: Path) -> None:
    """Raises DataError where a shard is a link that leads out of its directory."""
    if path.is_symlink() and os.path.dirname(os.path.realpath(path)) != os.path.realpath(directory):
        raise DataError(
            f"{shown(path)}: a link that leads out of {shown(directory)}. Copy the file there in its place."
        )


def check_file(path: Path, entry: ShardEntry) -> None:
    """Raises DataError when a shard is missing, or is not what was written."""
    try:
        with open_regular(path) as file:
            size = os.fstat(file.fileno()).st_size
            if size != entry.bytes:
                raise DataError(f"{shown(path)}: damaged, it has {size:,} bytes and the manifest says {entry.bytes:,}.")
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise DataError(f"{shown(path)}: cannot be read ({said(error)}). {REMEDY}") from None
    except DataError as error:
        raise DataError(f"{error} {REMEDY}") from None
    if found != entry.sha256:
        raise DataError(
            f"{shown(path)}: damaged, its SHA-256 is {found} and the manifest says {entry.sha256}. {REMEDY}"
        )


def _is_whole(path: Path, entry: ShardEntry) -> bool:
    try:
        check_file(path, entry)
    except DataError:
        return False
    return True


def _images(chunk: pa.FixedSizeBinaryArray, shape: tuple[int, int, int]) -> np.ndarray:
    """uint8 [n, C, H, W], a view of the mapped file."""
    width = chunk.type.byte_width
    data = np.frombuffer(chunk.buffers()[1], dtype=np.uint8)
    return data[chunk.offset * width : (chunk.offset + len(chunk)) * width].reshape(len(chunk), *shape)
