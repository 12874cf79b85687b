"""Tar files read where they are: their members' places are listed once, and read at random."""

from __future__ import annotations

import os
import stat
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO

from evoray.errors import DataError
from evoray.ingest.foreign import mistaken
from evoray.runtime.reading import shown

BLOCK = 512
LONGEST_HEADER = 2**20
"""Of a name or of PAX records, in bytes: what a header claims is not read into memory unseen."""


@dataclass(frozen=True)
class TarEntry:
    """A regular file in a tar: ``size`` bytes at ``offset`` of it."""

    name: str
    offset: int
    size: int


def members(path: Path) -> Iterator[TarEntry]:
    """A tar's files in their order; raises DataError when it is compressed, cut short, or no tar."""
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise DataError(f"{shown(path)}: not a regular file. Name a tar.")
        with open(path, "rb") as file:
            yield from _members(file, str(path), os.path.getsize(path))
    except OSError as error:
        raise DataError(f"{shown(path)}: cannot be read ({error.strerror or error}).") from None


def inner_members(path: Path, outer: TarEntry) -> Iterator[TarEntry]:
    """The files of a tar inside a tar; offsets are those in the outer file."""
    with open(path, "rb") as file:
        window = _Window(file, outer.offset, outer.size)
        for member in _members(window, f"{path}, {outer.name}", outer.size):
            yield TarEntry(member.name, outer.offset + member.offset, member.size)


def read_member(path: Path, member: TarEntry) -> bytes:
    with open(path, "rb") as file:
        file.seek(member.offset)
        return file.read(member.size)


def _members(file: BinaryIO | _Window, origin: str, end: int) -> Iterator[TarEntry]:
    try:
        with tarfile.open(fileobj=_Headers(file), mode="r:") as tar:  # type: ignore[call-overload]
            for info in tar:
                if info.isfile():
                    if info.issparse():
                        raise DataError(f"{shown(origin)}: {shown(info.name)} has holes. Pack it without -S.")
                    if info.offset_data + info.size > end:
                        raise DataError(f"{shown(origin)}: cut short in {shown(info.name)}. Copy it again.")
                    yield TarEntry(info.name, info.offset_data, info.size)
                tar.members = []  # a million headers are not kept
            _check_end(file, origin, tar.offset)
    except (tarfile.TarError, ValueError, OverflowError) as error:
        if isinstance(file, BufferedReader) and (other := mistaken(origin, "plain tar", "a tar archive")) is not None:
            raise other from None
        raise DataError(
            f"{shown(origin)}: no plain tar, or damaged ({shown(error)}). Unpack .tar.gz to .tar first: "
            "it cannot be read at random."
        ) from None


def _check_end(file: BinaryIO | _Window, origin: str, at: int) -> None:
    """A tar ends in blocks of zeros; without them it was cut between two files, and behind them lies nothing.

    at: where the next header was looked for.
    """
    file.seek(at)
    if len(last := file.read(BLOCK)) < BLOCK:
        raise DataError(
            f"{shown(origin)}: cut short: it ends without the two blocks of zeros that end a tar. Copy it again."
        )
    if any(last) or any(file.read(LONGEST_HEADER)):
        raise DataError(
            f"{shown(origin)}: damaged, or several tars in one file: something lies behind byte {at:,}, where its "
            "files end. Copy it again, or unpack it (tar -i) and pack it as one."
        )


class _Headers:
    """A tar of which headers alone are read, and no more of one than it may have."""

    def __init__(self, file: BinaryIO | _Window) -> None:
        self.tell, self.seek, self._read = file.tell, file.seek, file.read

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= LONGEST_HEADER:
            raise tarfile.ReadError(f"a header of {size:,} bytes")
        return self._read(size)


class _Window:
    """A part of a file that tarfile takes for a whole one."""

    def __init__(self, file: BinaryIO, start: int, size: int) -> None:
        self._file, self._start, self._size, self._at = file, start, size, 0

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._at = offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        return self._at

    def read(self, size: int = -1) -> bytes:
        left = max(0, self._size - self._at)
        self._file.seek(self._start + self._at)
        content = self._file.read(left if size < 0 else min(size, left))
        self._at += len(content)
        return content
