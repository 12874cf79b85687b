"""The extension point: a list of records that workers can open."""

import glob
import hashlib
import os
import re
import stat
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Protocol

import numpy as np
from PIL import Image

from evoray.data.decoding.bounds import check_encoded
from evoray.errors import DataError
from evoray.ingest.names import is_aside, is_aside_folder
from evoray.runtime.reading import shown


class Source(Protocol):
    """Picklable; ``open`` runs on the workers, and may raise anything for a bad record.

    names: unique, of one record each; labels: indices into ``classes``. One that reads files may have a method
    ``state(records)``, as ``state_of`` gives it: an interrupted ingest then does not go on with changed ones.
    """

    @property
    def classes(self) -> tuple[str, ...]: ...

    @property
    def names(self) -> Sequence[str]: ...

    @property
    def labels(self) -> Sequence[int]: ...

    def open(self, record: int) -> bytes | Image.Image:
        """An image file's bytes, or a decoded image."""
        ...

    @property
    def notes(self) -> Sequence[str]:
        """What was understood, a line each: which columns, what was left aside."""
        ...

    def prepare(self, directory: Path) -> None:
        """Called once before the workers start; ``directory`` outlives an interrupted ingest."""


class InPlace:
    """A source that is read where it is: nothing has to be prepared."""

    def prepare(self, directory: Path) -> None:
        """Nothing."""


@dataclass
class SlicedSource(InPlace):
    """Records that are byte ranges of large files: ``sizes[i]`` bytes at ``offsets[i]`` of ``files[which[i]]``."""

    files: tuple[str, ...]
    which: np.ndarray
    offsets: np.ndarray
    sizes: np.ndarray
    classes: tuple[str, ...]
    names: Sequence[str]
    labels: Sequence[int]
    notes: tuple[str, ...] = field(default=(), kw_only=True)

    def open(self, record: int) -> bytes:
        size, path = int(self.sizes[record]), self.files[self.which[record]]
        check_encoded(size)
        file = _opened(path, os.getpid())  # held while it is read: another thread may push it out of the cache
        content = os.pread(file.descriptor, size, int(self.offsets[record]))
        if len(content) != size:
            raise OSError(f"{os.path.basename(path)} ends before this record does")
        return content

    def state(self, _: Iterable[int]) -> str:
        return state_of(self.files)


def state_of(files: Iterable[str]) -> str:
    """A digest of files' sizes and times of writing: another one where one of them was written since."""
    digest = hashlib.sha256()
    for file in files:
        try:
            found = os.stat(file)
            digest.update(b"%d %d\n" % (found.st_size, found.st_mtime_ns))
        except (OSError, ValueError):
            digest.update(b"gone\n")
    return digest.hexdigest()


class _Opened:
    """A file that is closed when nobody holds it any more."""

    def __init__(self, path: str) -> None:
        self.descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        if not stat.S_ISREG(os.fstat(self.descriptor).st_mode):
            os.close(self.descriptor)
            raise DataError(f"{path}: not a regular file any more. Name a file.")
        self._close = os.close  # there still when the interpreter ends

    def __del__(self) -> None:
        if hasattr(self, "_close"):
            self._close(self.descriptor)


@lru_cache(maxsize=256)
def _opened(path: str, _process: int) -> _Opened:
    """Left open: a tar of ImageNet's is read 1.28 million times."""
    return _Opened(path)


def expand(pattern: str, suffix: str) -> list[Path]:
    """Files of a kind: one, all below a folder, a pattern with * or ?, or numbered ones as in a-{000..146}.tar."""
    path = Path(pattern)
    if path.is_file():
        return [path]
    if path.is_dir():
        return sorted(
            found
            for found in path.rglob("*")
            if found.name.lower().endswith(suffix) and found.is_file() and not _aside(path, found)
        )
    numbered = re.fullmatch(r"(.*)\{(\d{1,9})\.\.(\d{1,9})\}(.*)", pattern)
    if numbered:
        before, first, last, after = numbered.groups()
        listed = []
        for number in range(int(first), int(last) + 1):  # one that is missing ends it: the range may be anything
            one = Path(f"{before}{number:0{len(first)}d}{after}")
            if not one.is_file():
                raise DataError(
                    f"{shown(one)}: no such file, though {shown(pattern)} names it. "
                    "Copy it, or name those that are there."
                )
            listed.append(one)
        return listed
    return sorted(found for found in map(Path, glob.glob(_literal(pattern), recursive=True)) if found.is_file())


def short_names(files: Sequence[Path]) -> list[str]:
    """Files' names, with as many folders as tell them apart: ``train/0.tar`` and ``val/0.tar``."""
    names = [path.name for path in files]
    if len(set(names)) == len(names):
        return names
    common = os.path.commonpath([path.parent for path in files])
    return [path.relative_to(common).as_posix() for path in files]


def _aside(root: Path, path: Path) -> bool:
    *folders, name = path.relative_to(root).parts
    return is_aside(name) or any(map(is_aside_folder, folders))


def _literal(pattern: str) -> str:
    """A pattern in which folders that are there stand for themselves: ``my[1]/*.tar``."""
    parts, there = Path(pattern).parts, Path()
    for at, part in enumerate(parts):
        if not (there / part).is_dir():
            return os.path.join(glob.escape(str(there)), *parts[at:])
        there /= part
    return pattern


def check_folder(path: Path, remedy: str = "") -> None:
    if not path.is_dir():
        what = "not a directory" if path.exists() else "no such directory"
        raise DataError(f"{shown(path)}: {what}.{remedy}")


def check_text(root: Path, name: str) -> None:
    try:
        name.encode()
    except UnicodeEncodeError:
        raise DataError(f"{shown(root)}: the name {os.fsencode(name)!r} in it is not UTF-8. Rename the file.") from None
