"""One file, on a local path or at any URI that pyarrow opens: read whole, or fetched for who wants a path."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.fs

from evoray.errors import EvorayError, UsageError
from evoray.runtime.paths import URI, expanded, is_uri
from evoray.runtime.reading import read_at_most, read_file, said, shown

Location = str | Path
CHUNK = 2**22


def read_anywhere(location: Location, limit: int) -> bytes:
    """A file's bytes; UsageError where there is none, or one of more than ``limit`` bytes."""
    fs, path = _opened(location)
    if isinstance(fs, pyarrow.fs.LocalFileSystem):
        return read_file(path, limit, UsageError)
    with _reading(location, fs, path) as stream:
        return read_at_most(stream, limit, shown(location), UsageError)


def is_file(location: Location) -> bool:
    """Whether there is one; what cannot be looked at counts as none."""
    fs, path = _opened(location)
    try:
        return bool(fs.get_file_info(path).type == pyarrow.fs.FileType.File)
    except (OSError, pa.ArrowException, ValueError):
        return False


def above(location: Location, name: str) -> list[Location]:
    """Where a file of that name may lie that belongs to another: beside it, or one or two folders up."""
    if not is_uri(location):
        path = Path(location)
        folders = list(path.resolve().parents)[1:3]
        return [path.parent / name, *(folder / name for folder in folders)]
    whole, question, query = str(location).partition("?")
    head = URI.match(whole)
    begin = len(whole) if head is None else head.end()
    parts = whole[begin:].split("/")[:-1]
    return [
        whole[:begin] + "/".join([*parts[: len(parts) - up], name]) + question + query
        for up in range(min(3, len(parts)))
    ]


@contextmanager
def fetched(location: Location) -> Iterator[Path]:
    """A local path of the file: its own, or a copy's that is gone afterwards; errors of who reads it name the URI."""
    fs, path = _opened(location)
    if isinstance(fs, pyarrow.fs.LocalFileSystem):
        yield Path(path)
        return
    with tempfile.TemporaryDirectory(prefix="evoray-") as folder:
        copy = Path(folder) / (path.rpartition("/")[2] or "file")
        with _reading(location, fs, path) as stream:
            try:
                with open(copy, "wb") as file:
                    shutil.copyfileobj(stream, file, CHUNK)
            except OSError as error:
                raise UsageError(
                    f"{shown(location)}: cannot be fetched to {shown(folder)} ({said(error)}). Make room there, or "
                    "set TMPDIR."
                ) from None
        try:
            yield copy
        except EvorayError as error:
            raise type(error)(str(error).replace(str(copy), shown(location))) from None


@contextmanager
def _reading(location: Location, fs: pyarrow.fs.FileSystem, path: str) -> Iterator[pa.NativeFile]:
    try:
        stream = fs.open_input_stream(path)
    except FileNotFoundError:
        raise UsageError(f"{shown(location)}: no such file.") from None
    except (OSError, pa.ArrowException, ValueError) as error:
        raise UsageError(f"{shown(location)}: cannot be read ({said(error)}).") from None
    with stream:
        yield stream


def _opened(location: Location) -> tuple[pyarrow.fs.FileSystem, str]:
    """The file system, and the path in it; a path that is no URI stays as it is written."""
    if not is_uri(location):
        return pyarrow.fs.LocalFileSystem(), expanded(os.fspath(location))
    try:
        fs, path = pyarrow.fs.FileSystem.from_uri(str(location))
    except (pa.ArrowException, OSError, ValueError) as error:
        raise UsageError(f"{shown(location)}: not a path or URI that pyarrow can open ({said(error)}).") from None
    return fs, path
