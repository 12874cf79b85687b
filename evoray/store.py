"""The run directory, on a local path or any ``pyarrow.fs`` URI: files appear whole or not at all.

The journal is a folder of small Arrow files, one a flush, so that it works where nothing can be appended to (S3).
A record is (stage, item, shard, payload); the first record of a key counts, as execution is at least once.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import tempfile
import time
import uuid
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute
import pyarrow.fs
import pyarrow.ipc
import pyarrow.parquet

from evoray.errors import RunError, UsageError

Key = tuple[str, str, int]
FLUSH_SECONDS = 2.0
FLUSH_RECORDS = 20_000
"""A flush comes earlier than that when so many wait, so that what waits stays small in memory."""

SPOOLED_BYTES = 64 * 2**20
"""A file on its way to an object store waits in memory up to this size, beyond it on the local disk."""


class RunDirectory:
    """Named bytes under one root; every write is atomic (temporary name, then move; object stores put whole)."""

    def __init__(self, location: str) -> None:
        self.location = location
        try:
            if "://" in location:
                self._fs, self._root = pyarrow.fs.FileSystem.from_uri(location)
            else:
                self._fs, self._root = pyarrow.fs.LocalFileSystem(), os.path.abspath(location)
        except (pa.ArrowInvalid, OSError) as error:
            raise UsageError(f"{location}: not a path or URI that pyarrow can open ({error}).") from None
        self.is_local = isinstance(self._fs, pyarrow.fs.LocalFileSystem)

    @property
    def everywhere(self) -> str:
        """The directory as another process names it: a URI as given, a path made absolute."""
        return self.location if "://" in self.location else self._root

    def path(self, name: str) -> str:
        return f"{self._root}/{name}"

    def exists(self, name: str) -> bool:
        info = self._fs.get_file_info(self.path(name))
        return bool(info.type == pyarrow.fs.FileType.File)

    def names(self, folder: str = "") -> list[str]:
        """Files directly in a folder, sorted; empty when there is no such folder."""
        selector = pyarrow.fs.FileSelector(self.path(folder).rstrip("/"), allow_not_found=True)
        return sorted(
            info.base_name for info in self._fs.get_file_info(selector) if not info.base_name.endswith(".part")
        )

    def read(self, name: str) -> bytes:
        try:
            with self._fs.open_input_stream(self.path(name)) as stream:
                return bytes(stream.read())
        except FileNotFoundError:
            raise UsageError(
                f"{self.location}: no {name} in it. Name a run directory, as written by evoray run or demo."
            ) from None

    def size(self, name: str) -> int | None:
        """Bytes of a file, None where there is none."""
        info = self._fs.get_file_info(self.path(name))
        return int(info.size) if info.type == pyarrow.fs.FileType.File else None

    def write(self, name: str, content: bytes) -> None:
        with self.writing(name) as stream:
            stream.write(content)

    @contextmanager
    def writing(self, name: str) -> Iterator[IO[bytes]]:
        """A stream to a file that is there, whole, once the block ends, and not at all when it fails.

        Several processes may write the same file at a time, as execution is at least once.
        """
        target = self.path(name)
        part = f"{target}.{uuid.uuid4().hex[:8]}.part"
        try:
            self._fs.create_dir(os.path.dirname(target), recursive=True)
            with open(part, "wb") if self.is_local else tempfile.SpooledTemporaryFile(SPOOLED_BYTES) as file:
                yield file
                file.flush()
                if self.is_local:
                    os.fsync(file.fileno())
                    os.replace(part, target)
                else:
                    file.seek(0)
                    with self._fs.open_output_stream(target) as stream:
                        shutil.copyfileobj(file, stream)
        except OSError as error:
            raise RunError(
                f"{target}: cannot be written ({error}). Make room or mend the path, then go on with --resume: "
                "everything finished so far is in the journal."
            ) from error
        finally:
            if self.is_local:
                with suppress(OSError):
                    os.remove(part)

    def write_json(self, name: str, value: Any) -> None:
        self.write(name, (json.dumps(value, indent=1, allow_nan=False) + "\n").encode())

    def read_json(self, name: str) -> Any:
        try:
            return json.loads(self.read(name))
        except ValueError as error:
            raise UsageError(f"{self.location}/{name}: damaged, not JSON ({error}).") from None

    def write_table(self, name: str, table: pa.Table) -> None:
        sink = io.BytesIO()
        pyarrow.parquet.write_table(table, sink)
        self.write(name, sink.getvalue())

    def read_table(self, name: str) -> pa.Table:
        try:
            return pyarrow.parquet.read_table(io.BytesIO(self.read(name)))
        except pa.ArrowInvalid as error:
            raise UsageError(f"{self.location}/{name}: damaged, not Parquet ({error}).") from None


def free_path(path: Path) -> Path:
    """The path, or the first of path-2, path-3, … that does not exist."""
    if not path.exists():
        return path
    return next(p for n in range(2, 10**6) if not (p := path.with_name(f"{path.name}-{n}")).exists())


class Records:
    """What a journal holds, as Arrow columns: about 70 bytes a record, where a dictionary needs 340."""

    def __init__(self, segments: Iterable[pa.Table] = ()) -> None:
        self._stages: dict[str, list[pa.Table]] = defaultdict(list)
        for table in segments:
            for stage in table["stage"].unique().to_pylist():
                own = table.filter(pyarrow.compute.equal(table["stage"], stage)).drop_columns("stage").combine_chunks()
                item = own.schema.get_field_index("item")
                self._stages[stage].append(own.set_column(item, "item", own["item"].dictionary_encode()))

    def __len__(self) -> int:
        """Records not taken yet; one that was written twice counts twice."""
        return sum(table.num_rows for tables in self._stages.values() for table in tables)

    def take(self, stage: str) -> Iterator[tuple[str, int, bytes]]:
        """Hands over (item, shard, payload) of one stage, the first record of each key, and lets go of them."""
        tables = self._stages.pop(stage, [])
        keep, start = _first_of_each_key(tables), 0
        while tables:
            table = tables.pop(0)
            if keep is not None:
                table, start = table.filter(pa.array(keep[start : start + table.num_rows])), start + table.num_rows
            for batch in table.to_batches(10_000):
                yield from zip(*(batch[name].to_pylist() for name in ("item", "shard", "payload")), strict=True)


def _first_of_each_key(tables: Sequence[pa.Table]) -> np.ndarray | None:
    """Which rows of the tables, one after the other, come first with their (item, shard); None when all do."""
    codes: dict[str, int] = {}
    keys = [np.zeros(0, np.int64)]
    for table in tables:
        item = table["item"].combine_chunks()
        own = [codes.setdefault(name, len(codes)) for name in item.dictionary.to_pylist()]
        keys.append((np.array(own, np.int64)[item.indices.to_numpy()] << 32) + table["shard"].to_numpy())
    joined = np.concatenate(keys)
    ordered = np.sort(joined)
    if (ordered[1:] != ordered[:-1]).all():
        return None
    keep = np.zeros(len(joined), bool)
    keep[np.unique(joined, return_index=True)[1]] = True
    return keep


class Journal:
    """Finished units, on disk within FLUSH_SECONDS of their arrival (and at every ``flush``)."""

    _SCHEMA = pa.schema(
        [("stage", pa.string()), ("item", pa.string()), ("shard", pa.int64()), ("payload", pa.binary())]
    )

    def __init__(self, directory: RunDirectory) -> None:
        self._directory = directory
        self._waiting: list[tuple[str, str, int, bytes]] = []
        self._flushed_at = time.monotonic()
        segments = [name for name in directory.names("journal") if name.endswith(".arrow")]
        self._segments = int(segments[-1].removesuffix(".arrow")) + 1 if segments else 0

    def read(self) -> Records:
        """Everything finished so far; damaged segments are refused by name."""
        names = self._directory.names("journal")
        return Records(self._segment(name) for name in names if name.endswith(".arrow"))

    def add(self, key: Key, payload: bytes) -> None:
        self._waiting.append((*key, payload))
        if len(self._waiting) >= FLUSH_RECORDS or time.monotonic() - self._flushed_at > FLUSH_SECONDS:
            self.flush()

    def _segment(self, name: str) -> pa.Table:
        try:
            return pa.ipc.open_stream(self._directory.read(f"journal/{name}")).read_all()
        except pa.ArrowInvalid as error:
            raise RunError(
                f"{self._directory.location}/journal/{name}: damaged ({error}). "
                "Remove that file; its units are evaluated again."
            ) from None

    def flush(self) -> None:
        if self._waiting:
            columns = [list(column) for column in zip(*self._waiting, strict=True)]
            arrays = [pa.array(values, field.type) for values, field in zip(columns, self._SCHEMA, strict=True)]
            sink = io.BytesIO()
            with pa.ipc.new_stream(sink, self._SCHEMA) as writer:
                writer.write_batch(pa.record_batch(arrays, schema=self._SCHEMA))
            self._directory.write(f"journal/{self._segments:08d}.arrow", sink.getvalue())
            self._segments += 1
            self._waiting.clear()
        self._flushed_at = time.monotonic()


def pack_arrays(arrays: Mapping[str, np.ndarray]) -> bytes:
    """Named arrays as bytes (NumPy's npz, no pickles)."""
    sink = io.BytesIO()
    np.savez(sink, **{name: np.asarray(value) for name, value in arrays.items()})  # type: ignore[arg-type]
    return sink.getvalue()


def unpack_arrays(payload: bytes) -> dict[str, np.ndarray]:
    with np.load(io.BytesIO(payload), allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}
