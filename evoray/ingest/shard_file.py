"""One shard's Arrow file, written batch by batch: a worker holds 256 images of it, not a thousand."""

from __future__ import annotations

import hashlib
import os
import uuid
from pathlib import Path
from types import TracebackType
from typing import IO

import numpy as np
import pyarrow as pa

from evoray.data.manifest import ShardEntry
from evoray.errors import DataError
from evoray.runtime.reading import shown

BATCH_ROWS = 256
WRITTEN = {"image": "fixed_size_binary", "label": "int64", "source": "string"}
"""Columns of every shard, with their Arrow types."""


def refuse_existing(dest: Path) -> None:
    """Raises DataError where something is there."""
    if os.path.lexists(dest):
        raise DataError(f"{shown(dest)}: exists already. Name a new directory for the shards.")


class ShardFile:
    """An uncompressed Arrow file: image fixed_size_binary, label int64, source string, BATCH_ROWS a batch.

    The file appears when it is finished, whole; where that is not reached, nothing is left.
    """

    def __init__(self, path: Path) -> None:
        self._path, self._part = path, path.with_name(f"{path.name}.{uuid.uuid4().hex}.part")
        self._images = np.empty((0, 0, 0, 0), np.uint8)
        self._labels: list[int] = []
        self._names: list[str] = []
        self._sink: Hashing | None = None
        self._rows = 0

    def __enter__(self) -> ShardFile:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._sink is not None:
            self._sink.close()
            self._part.unlink(missing_ok=True)

    @property
    def rows(self) -> int:
        return self._rows + len(self._names)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Of every image, [C, H, W]; zeros before the first."""
        _, channels, height, width = self._images.shape
        return channels, height, width

    def append(self, image: np.ndarray, label: int, name: str) -> None:
        """image: uint8 [C, H, W] in any layout, of the shape of the first."""
        if self._sink is None:
            self._begin(image.shape)
        self._images[len(self._names)] = image
        self._labels.append(label)
        self._names.append(name)
        if len(self._names) == BATCH_ROWS:
            self._flush()

    def finish(self) -> ShardEntry:
        """The last batch, and the file moved to its place."""
        assert self._sink is not None, "a shard has a row at the least"
        self._flush()
        self._writer.close()
        self._sink.close()
        entry = ShardEntry(
            file=self._path.name, rows=self._rows, bytes=self._sink.bytes, sha256=self._sink.digest.hexdigest()
        )
        os.replace(self._part, self._path)
        return entry

    def _begin(self, shape: tuple[int, ...]) -> None:
        self._images = np.empty((BATCH_ROWS, *shape), np.uint8)
        self._image_type = pa.binary(int(np.prod(shape)))
        fields = [("image", self._image_type), ("label", pa.int64()), ("source", pa.string())]
        self._sink = Hashing(open(self._part, "wb", buffering=0))  # noqa: SIM115
        self._writer = pa.ipc.new_file(self._sink, pa.schema(fields))

    def _flush(self) -> None:
        if count := len(self._names):
            pixels = pa.py_buffer(self._images[:count])  # exactly: Arrow would pad with what lies behind
            image = pa.FixedSizeBinaryArray.from_buffers(self._image_type, count, [None, pixels])
            label = pa.Array.from_buffers(pa.int64(), count, [None, pa.py_buffer(np.array(self._labels, np.int64))])
            batch = pa.RecordBatch.from_arrays([image, label, _strings(self._names)], ["image", "label", "source"])
            self._writer.write_batch(batch)
            self._rows += count
            self._labels, self._names = [], []


class Hashing:
    """A file that is hashed on its way, for reading it once more is a tenth of a millisecond an image."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self.digest, self.bytes = file, hashlib.sha256(), 0

    @property
    def closed(self) -> bool:
        return self._file.closed

    def write(self, data: bytes | memoryview) -> int:
        view = memoryview(data)
        self.digest.update(view)
        self.bytes += view.nbytes
        written = 0
        while written < view.nbytes:
            written += self._file.write(view[written:])
        return written

    def flush(self) -> None:
        """Nothing is held back."""

    def close(self) -> None:
        self._file.close()


def _strings(values: list[str]) -> pa.Array:
    """As ``pa.array`` gives them; which imports pandas where it is there, and that takes longer than 400 images."""
    encoded = [value.encode() for value in values]
    ends = np.cumsum([0, *map(len, encoded)], dtype=np.int32)
    return pa.StringArray.from_buffers(len(values), pa.py_buffer(ends), pa.py_buffer(b"".join(encoded)))
