"""One shard: decoded, written, and recorded as finished, in whatever process; torch-free where Pillow decodes."""

from __future__ import annotations

import hashlib
import os
import re
import uuid
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from pydantic import BaseModel, ConfigDict, ValidationError

from evoray.data.manifest import ShardEntry, Unreadable
from evoray.data.reader import check_file
from evoray.data.sources.base import Source
from evoray.data.transform import ImageTransform
from evoray.errors import DataError, RunError

BATCH_ROWS = 256
Count = Callable[[int], None]
"""Called with the number of records just done."""


class Finished(BaseModel):
    """A shard that is done; ``entry`` and ``shape`` are None when nothing of it could be decoded."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    records: int
    entry: ShardEntry | None = None
    shape: tuple[int, int, int] | None = None
    first: str = ""
    unreadable: tuple[Unreadable, ...] = ()


@dataclass(frozen=True)
class ShardWriter:
    """Writes shard ``number`` of ``order`` under ``directory``; sent to a worker once, for names alone are 47 MB.

    order: the records of all shards, one after another; each shard takes the next ``shard_size``.
    """

    source: Source
    transform: ImageTransform
    directory: Path
    order: np.ndarray
    shard_size: int

    @property
    def shards(self) -> int:
        return -(-len(self.order) // self.shard_size)

    def records(self, number: int) -> np.ndarray:
        return self.order[number * self.shard_size : (number + 1) * self.shard_size]

    def write(self, number: int, count: Count, threads: int = 1) -> Finished:
        """The shard and its record, each whole or not there; one that is there and has its digest is kept.

        Safe to run twice at once: both write the same bytes.
        """
        path = self.directory / "shards" / f"shard-{number:05d}.arrow"
        record = self.directory / "done" / f"{path.stem}.json"
        records = self.records(number)
        if (kept := _kept(record, path)) is not None and kept.records == len(records):
            count(len(records))
            return kept
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of decoders, on odd files; the reference goes on as well
                finished = self._write(path, records, count, threads)
            replace_with(record, finished.model_dump_json().encode())
        except OSError as error:
            raise RunError(
                f"{path}: cannot be written ({error}). The folder of the shards must be on storage that every worker "
                "has under this path, with room. What is finished is kept: the same command goes on."
            ) from None
        return finished

    def _write(self, path: Path, records: np.ndarray, count: Count, threads: int) -> Finished:
        bad: list[Unreadable] = []
        images = np.empty((0, 0, 0, 0), np.uint8)
        labels: list[int] = []
        names: list[str] = []
        for record, image in _decoded(self.source, self.transform, records, bad, count, threads):
            if not names:
                images = np.empty((len(records), *image.shape), np.uint8)
            elif image.shape != images.shape[1:]:
                raise differs(self.source.names[record], image.shape, names[0], images.shape[1:])
            images[len(names)] = image
            labels.append(self.source.labels[record])
            names.append(self.source.names[record])
        if not names:
            return Finished(records=len(records), unreadable=tuple(bad))
        entry = _write_arrow(path, images[: len(names)], labels, names)
        shape = (int(images.shape[1]), int(images.shape[2]), int(images.shape[3]))
        return Finished(records=len(records), entry=entry, shape=shape, first=names[0], unreadable=tuple(bad))


def differs(name: str, shape: tuple[int, ...], first: str, expected: tuple[int, ...]) -> DataError:
    return DataError(
        f"{name}: {shape} where {first} is {expected}. Images that are stored as they are must be "
        "of one size: give --resize and --crop."
    )


def replace_with(path: Path, content: bytes) -> None:
    """Writes a file that appears whole, or not at all."""
    part = path.with_name(f"{path.name}.{uuid.uuid4().hex}.part")
    part.write_bytes(content)
    os.replace(part, path)


def _kept(record: Path, path: Path) -> Finished | None:
    """What an earlier ingest finished, if its bytes are still those."""
    try:
        finished = Finished.model_validate_json(record.read_bytes())
        if finished.entry is not None:
            check_file(path, finished.entry)
    except (OSError, ValidationError, DataError):
        return None
    return finished


def _decoded(
    source: Source,
    transform: ImageTransform,
    records: np.ndarray,
    bad: list[Unreadable],
    count: Count,
    threads: int,
) -> Iterator[tuple[int, np.ndarray]]:
    """Images in the order of ``records``, whatever the threads; the bad ones are listed."""

    def decode(record: int) -> np.ndarray | Exception:
        try:
            return transform(source.open(record))
        except Exception as error:  # a decoder may raise anything on bytes that are no image
            return error

    with ThreadPoolExecutor(threads) as pool:
        listed = records.tolist()
        found = pool.map(decode, listed) if threads > 1 else map(decode, listed)
        for record, image in zip(listed, found, strict=True):
            if isinstance(image, DataError) or getattr(image, "errno", None) is not None:
                pool.shutdown(cancel_futures=True)
                raise image if isinstance(image, DataError) else _storage(image, source.names[record])
            if isinstance(image, Exception):
                bad.append(Unreadable(source=source.names[record], error=_reason(image, source, record)))
            else:
                yield record, image
            count(1)


def _storage(error: Any, name: str) -> RunError:
    """The file could not be read at all, which says nothing of the image in it."""
    return RunError(
        f"{name}: cannot be read ({error}). Every worker needs the images under the path that was given. "
        "What is finished is kept: the same command goes on."
    )


def _reason(error: Exception, source: Source, record: int) -> str:
    """One line, the same on every machine and run: no folder of this machine, no address in memory."""
    name, root = source.names[record], getattr(source, "root", None)
    reason = re.sub(r" (<_io\.BytesIO object )?at 0x[0-9a-fA-F]+>?", "", f"{type(error).__name__}: {error}")
    if root is not None:
        reason = reason.replace(str(root / name), name)
    return reason.splitlines()[0][:300]


def _write_arrow(path: Path, images: np.ndarray, labels: list[int], names: list[str]) -> ShardEntry:
    """An uncompressed Arrow file: image fixed_size_binary, label int64, source string, BATCH_ROWS a batch."""
    count, width = len(images), int(np.prod(images.shape[1:]))
    image = pa.FixedSizeBinaryArray.from_buffers(pa.binary(width), count, [None, pa.py_buffer(images)])
    label = pa.Array.from_buffers(pa.int64(), count, [None, pa.py_buffer(np.array(labels, np.int64))])
    table = pa.Table.from_arrays([image, label, _strings(names)], names=["image", "label", "source"])
    part = path.with_name(f"{path.name}.{uuid.uuid4().hex}.part")
    with pa.OSFile(str(part), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table, max_chunksize=BATCH_ROWS)
    with open(part, "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    entry = ShardEntry(file=path.name, rows=count, bytes=part.stat().st_size, sha256=digest)
    os.replace(part, path)
    return entry


def _strings(values: list[str]) -> pa.Array:
    """As ``pa.array`` gives them; which imports pandas where it is there, and that takes longer than 400 images."""
    encoded = [value.encode() for value in values]
    ends = np.cumsum([0, *map(len, encoded)], dtype=np.int32)
    return pa.StringArray.from_buffers(len(values), pa.py_buffer(ends), pa.py_buffer(b"".join(encoded)))
