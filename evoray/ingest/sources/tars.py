"""Tar files read where they are: their members' places are listed once, and read at random."""

from __future__ import annotations

import os
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from evoray.errors import DataError


@dataclass(frozen=True)
class TarEntry:
    """A regular file in a tar: ``size`` bytes at ``offset`` of it."""

    name: str
    offset: int
    size: int


def members(path: Path) -> Iterator[TarEntry]:
    """A tar's files in their order; raises DataError when it is compressed, cut short, or no tar."""
    try:
        with open(path, "rb") as file:
            yield from _members(file, str(path), os.path.getsize(path))
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error}).") from None


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
        with tarfile.open(fileobj=file, mode="r:") as tar:  # type: ignore[call-overload]
            for info in tar:
                if info.isfile():
                    if info.offset_data + info.size > end:
                        raise DataError(f"{origin}: cut short in {info.name}. Copy it again.")
                    yield TarEntry(info.name, info.offset_data, info.size)
                tar.members = []  # a million headers are not kept
    except tarfile.TarError as error:
        raise DataError(
            f"{origin}: no plain tar, or damaged ({error}). Unpack .tar.gz to .tar first: it cannot be read at random."
        ) from None


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
