"""One shard: decoded, written, and recorded as finished, in whatever process; torch-free where Pillow decodes."""

import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError

from evoray.data.decoding.opening import one_line
from evoray.data.decoding.quiet import quiet
from evoray.data.manifest import ShardEntry, Unreadable
from evoray.data.shard_files import check_file
from evoray.data.transform import ImageTransform
from evoray.errors import DataError, EvorayError, PictureError, RunError
from evoray.ingest.shard_file import BATCH_ROWS, ShardFile
from evoray.ingest.sources.base import Source
from evoray.runtime.paths import replace_with
from evoray.runtime.reading import read_file, shown

Count = Callable[[int], None]
"""Called with the number of records just done."""
REASON = 300
"""Characters of why a record was not read."""


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
            with warnings.catch_warnings(), quiet:
                warnings.simplefilter("ignore")  # of decoders, on odd files; the reference goes on as well
                finished = self._write(path, records, count, threads)
            replace_with(record, finished.model_dump_json().encode())
        except MemoryError:
            raise RunError(
                f"{path}: not enough memory for {BATCH_ROWS} images at a time. "
                "Give --resize and --crop, or fewer workers."
            ) from None
        except OSError as error:
            raise RunError(
                f"{path}: cannot be written ({error}). The folder of the shards must be on storage that every worker "
                "has under this path, with room. What is finished is kept: the same command goes on."
            ) from None
        return finished

    def _write(self, path: Path, records: np.ndarray, count: Count, threads: int) -> Finished:
        bad: list[Unreadable] = []
        first = ""
        with ShardFile(path) as file:
            for record, image in _decoded(self.source, self.transform, records, bad, count, threads):
                name = self.source.names[record]
                if file.rows and image.shape != file.shape:
                    raise differs(name, image.shape, first, file.shape)
                first = first or name
                file.append(image, self.source.labels[record], name)
            if not file.rows:
                return Finished(records=len(records), unreadable=tuple(bad))
            entry, shape = file.finish(), file.shape
        return Finished(records=len(records), entry=entry, shape=shape, first=first, unreadable=tuple(bad))


def differs(name: str, shape: tuple[int, ...], first: str, expected: tuple[int, ...]) -> DataError:
    return DataError(
        f"{shown(name)}: {shape} where {shown(first)} is {expected}. Images that are stored as they are must be "
        "of one size: give --resize and --crop."
    )


def _kept(record: Path, path: Path) -> Finished | None:
    """What an earlier ingest finished, if its bytes are still those."""
    try:
        finished = Finished.model_validate_json(read_file(record))
        if finished.entry is not None:
            check_file(path, finished.entry)
    except (OSError, ValidationError, DataError):
        return None
    return finished


def _decoded(
    source: Source, transform: ImageTransform, records: np.ndarray, bad: list[Unreadable], count: Count, threads: int
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
            if not isinstance(image, Exception):
                yield record, image
            elif _stops(image):
                pool.shutdown(cancel_futures=True)
                raise image if isinstance(image, EvorayError) else _storage(image, source.names[record])
            else:
                bad.append(Unreadable(source=source.names[record], error=_reason(image, source, record)))
            count(1)


def _stops(error: Exception) -> bool:
    """Whether an ingest cannot go on: the images are not what was said, or storage fails; no picture is to blame."""
    if isinstance(error, EvorayError):
        return not isinstance(error, PictureError)
    return getattr(error, "errno", None) is not None


def _storage(error: Any, name: str) -> RunError:
    """The file could not be read at all, which says nothing of the image in it."""
    return RunError(
        f"{shown(name)}: cannot be read ({shown(error)}). Every worker needs the images under the path that was given. "
        "What is finished is kept: the same command goes on."
    )


def _reason(error: Exception, source: Source, record: int) -> str:
    """One line, the same on every machine and run: no folder of this machine, no address in memory."""
    name, root = source.names[record], getattr(source, "root", None)
    reason = str(error) if isinstance(error, PictureError) else one_line(error)
    if root is not None:
        reason = reason.replace(str(root / name), name)
    return reason.splitlines()[0][:REASON]
