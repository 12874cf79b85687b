"""The run directory, on a local path or any ``pyarrow.fs`` URI: files appear whole or not at all."""

from __future__ import annotations

import copy
import io
import json
import os
import shutil
import tempfile
import uuid
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.fs
import pyarrow.parquet

from evoray.errors import RunError, UsageError
from evoray.runtime.paths import expanded
from evoray.runtime.reading import JSON_BYTES, parse_json, read_at_most, read_file, said, shown, translated
from evoray.storage.documents import BEGINNING, REMEDY, check_document, check_table, remedy_of
from evoray.storage.tables import read_parquet

PUT_WHOLE = (pyarrow.fs.S3FileSystem, pyarrow.fs.GcsFileSystem, pyarrow.fs.AzureFileSystem)
"""Object stores: an object appears when its upload is complete, and a move would be a copy."""

FILE_BYTES = 2**30
"""What one file of a run directory may have that is read whole; logits are not."""
SPOOLED_BYTES = 64 * 2**20
"""A file on its way to an object store waits in memory up to this size, beyond it on the local disk."""


RECALIBRATED = "soup_recalibrated"
"""The soup's name with BatchNorm statistics of its own."""


class Entry(NamedTuple):
    """In a folder. modified: seconds since 1970, 0 where the store does not say."""

    name: str
    is_folder: bool
    modified: float


class RunDirectory:
    """Named bytes under one root; every write is atomic (temporary name, then move; object stores put whole).

    Raises:
        UsageError: a location that pyarrow cannot open, or a file that is not there or damaged.
        RunError: what is to be written cannot be: a full disk, a lost mount, a bucket that refuses.
    """

    def __init__(self, location: str) -> None:
        self.location = location = expanded(location)
        try:
            if "://" in location:
                self._fs, self._root = pyarrow.fs.FileSystem.from_uri(location)
            else:
                self._fs, self._root = pyarrow.fs.LocalFileSystem(), os.path.abspath(location)
            if "\0" in self._root:
                raise ValueError("it has a NUL in it")
        except (pa.ArrowException, OSError, ValueError) as error:
            raise UsageError(f"{shown(location)}: not a path or URI that pyarrow can open ({said(error)}).") from None
        self.is_local = isinstance(self._fs, pyarrow.fs.LocalFileSystem)
        self.held = False
        """Locked by this program (``lock.py``): a folder that is there, and is not made anew while its disk is away."""

    @property
    def everywhere(self) -> str:
        """The directory as another process names it: a URI as given, a path made absolute."""
        return self.location if "://" in self.location else self._root

    def path(self, name: str) -> str:
        return f"{self._root}/{name}"

    def exists(self, name: str) -> bool:
        """Whether there is a file of that name, or a link, a pipe, a device: they are refused by whoever reads them."""
        if not self.is_local:
            return self.size(name) is not None
        return os.path.lexists(self.path(name)) and not os.path.isdir(self.path(name))

    def names(self, folder: str = "") -> list[str]:
        """Files directly in a folder, sorted; empty when there is no such folder."""
        place = self.path(folder).rstrip("/") or "/"
        try:
            found = self._fs.get_file_info(pyarrow.fs.FileSelector(place, allow_not_found=True))
        except (OSError, pa.ArrowException, ValueError) as error:
            raise UsageError(f"{shown(place)}: not a folder that can be read ({said(error)}).") from None
        return sorted(info.base_name for info in found if not info.base_name.endswith(".part"))

    def below(self, name: str) -> RunDirectory:
        """A folder in it, as a directory of its own in the same store."""
        head, mark, query = self.location.partition("?") if "://" in self.location else (self.location, "", "")
        found = copy.copy(self)
        found.location, found._root = f"{head.rstrip('/')}/{name}{mark}{query}", f"{self._root.rstrip('/')}/{name}"
        return found

    def entries(self) -> list[Entry]:
        """What lies directly in it, by name; raises UsageError where there is no such folder."""
        try:
            return sorted(_on_disk(self._root) if self.is_local else _in_store(self._fs, self._root))
        except (OSError, pa.ArrowException, ValueError) as error:
            raise UsageError(f"{shown(self.location)}: not a folder that can be read ({said(error)}).") from None

    def read(self, name: str, limit: int = FILE_BYTES) -> bytes:
        """A file's bytes; UsageError where there is none, no regular one, or one of more than ``limit`` bytes."""
        try:
            if self.is_local:
                if not os.path.lexists(self.path(name)):
                    raise FileNotFoundError
                return read_file(self.path(name), limit, UsageError)
            with self._fs.open_input_stream(self.path(name)) as stream:
                return read_at_most(stream, limit, shown(self.path(name)), UsageError)
        except FileNotFoundError:
            raise UsageError(f"{shown(self.location)}: no {shown(name)} in it. {self._remedy_for_none(name)}") from None
        except (OSError, pa.ArrowException, ValueError) as error:
            raise UsageError(f"{shown(self.path(name))}: cannot be read ({said(error)}).") from None

    def _remedy_for_none(self, name: str) -> str:
        """What is to be done where there is no such file."""
        if not any(self.size(one) is not None for one in ("summary.json", *BEGINNING)):
            return "Name a run directory, as written by evoray run or demo."
        if name not in BEGINNING and self.size("summary.json") is None:
            return "The run has not finished, or the file was removed: go on with evoray run … --resume."
        return f"It was removed. {remedy_of(name)}"

    def size(self, name: str) -> int | None:
        """Bytes of a file, None where there is none."""
        try:
            info = self._fs.get_file_info(self.path(name))
        except (OSError, pa.ArrowException, ValueError) as error:
            raise UsageError(f"{shown(self.path(name))}: cannot be looked at ({said(error)}).") from None
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
            self._make_folder(os.path.dirname(name))
            with open(part, "wb") if self.is_local else tempfile.SpooledTemporaryFile(SPOOLED_BYTES) as file:
                yield file
                file.flush()
                if self.is_local:
                    os.fsync(file.fileno())
                    os.replace(part, target)
                else:
                    file.seek(0)
                    self._send(file, target, part)
        except (OSError, pa.ArrowException) as error:
            raise RunError(
                f"{target}: cannot be written ({error}). Make room or mend the path, then go on with resume=True: "
                "what is in the journal is kept."
            ) from error
        finally:
            if self.is_local:
                with suppress(OSError):
                    os.remove(part)

    def _make_folder(self, folder: str) -> None:
        if not self.held:
            self._fs.create_dir(self.path(folder).rstrip("/"), recursive=True)
            return
        place = self._root
        for one in filter(None, folder.split("/")):
            place += f"/{one}"
            with suppress(FileExistsError):
                os.mkdir(place)

    def _send(self, file: IO[bytes], target: str, part: str) -> None:
        whole = isinstance(self._fs, PUT_WHOLE)
        with self._fs.open_output_stream(target if whole else part) as stream:
            shutil.copyfileobj(file, stream)
        if not whole:
            self._fs.move(part, target)

    def remove(self, name: str) -> None:
        """Removes a file that is no longer needed; one that is gone already is fine."""
        with suppress(FileNotFoundError):
            self._fs.delete_file(self.path(name))

    def write_json(self, name: str, value: Any) -> None:
        self.write(name, (json.dumps(value, indent=1, allow_nan=False) + "\n").encode())

    def read_json(self, name: str) -> Any:
        """A document as it was written; its shape is checked where the name is one of ``documents.MODELS``."""
        origin = f"{self.location}/{name}"
        content = self.read(name, JSON_BYTES)
        try:
            found = parse_json(content, origin, UsageError)
        except UsageError as error:
            raise UsageError(f"{error} {remedy_of(name)}") from None
        return check_document(name, found, origin)

    def write_table(self, name: str, table: pa.Table) -> None:
        sink = io.BytesIO()
        pyarrow.parquet.write_table(table, sink)
        self.write(name, sink.getvalue())

    def table_rows(self, name: str) -> int | None:
        """How many rows a Parquet file says that it has, of which its end alone is read; None where it is none."""
        if self.size(name) is None:
            return None
        try:
            with self._fs.open_input_file(self.path(name)) as file:
                return int(pyarrow.parquet.read_metadata(file).num_rows)
        except (OSError, pa.ArrowException, ValueError):
            return None

    def read_table(self, name: str) -> pa.Table:
        """A table as it was written; its columns' types are checked where the name is one of ``documents.TABLES``."""
        origin = f"{self.location}/{name}"
        return check_table(name, read_parquet(self.read(name), origin, REMEDY, UsageError), origin)


def _on_disk(root: str) -> Iterator[Entry]:
    """By the operating system's own words: pyarrow stops at a name that is not UTF-8."""
    with os.scandir(root) as found:
        for one in found:
            with suppress(OSError):  # gone by now, or a link to nothing
                yield Entry(one.name, one.is_dir(), one.stat().st_mtime)


def _in_store(store: pyarrow.fs.FileSystem, root: str) -> Iterator[Entry]:
    folders = pyarrow.fs.FileType.Directory
    for one in store.get_file_info(pyarrow.fs.FileSelector(root)):
        yield Entry(one.base_name, one.type == folders, (one.mtime_ns or 0) / 1e9)


def free_path(path: Path) -> Path:
    """The path, or the first of path-2, path-3, … that does not exist."""
    if not path.exists():
        return path
    return next(p for n in range(2, 10**6) if not (p := path.with_name(f"{path.name}-{n}")).exists())


def pack_arrays(arrays: Mapping[str, np.ndarray]) -> bytes:
    """Named arrays as bytes (NumPy's npz, no pickles)."""
    sink = io.BytesIO()
    np.savez(sink, **{name: np.asarray(value) for name, value in arrays.items()})  # type: ignore[arg-type]
    return sink.getvalue()


def unpack_arrays(payload: bytes) -> dict[str, np.ndarray]:
    """The inverse; RunError where the bytes are none of ``pack_arrays``', however much they would unpack to."""
    remedy = "Remove the segment of journal/ that it is in, then go on with resume=True: its units are evaluated again."
    with translated("the journal: a record", remedy, RunError):
        with zipfile.ZipFile(io.BytesIO(payload)) as archive:
            if any(one.compress_type != zipfile.ZIP_STORED for one in archive.infolist()):
                raise ValueError("it is compressed")
            if sum(one.file_size for one in archive.infolist()) > len(payload):
                raise ValueError("it claims more than it holds")
        with np.load(io.BytesIO(payload), allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}
