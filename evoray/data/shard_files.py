"""The files of a shard directory: found, fetched, checked once a process, and mapped into memory.

A directory's shards are mapped where they lie (NFS too); a URI's are fetched into this node's cache first.
"""

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from evoray.data.cache import Remote, ShardCache, make_cache
from evoray.data.manifest import ShardEntry
from evoray.errors import DataError
from evoray.runtime.arrow import read_arrow
from evoray.runtime.reading import open_regular, said, shown, translated

REMEDY = "Copy it again, or ingest the images again."
Place = Path | Remote
"""Where shards lie: a directory, or a ``pyarrow.fs`` URI."""


class ShardFiles:
    """Of one place; its name is the place's."""

    def __init__(self, place: Place, cache: ShardCache | None = None) -> None:
        # shards are opened later, and the program may have gone to another folder by then
        self._place = place.absolute() if isinstance(place, Path) else place
        self._cache = cache or make_cache(None, None)
        self.name = str(place)
        self._checked: dict[int, tuple[int, ...]] = {}

    def table(self, index: int, entry: ShardEntry, schema: Mapping[str, Any]) -> pa.Table:
        """A shard, mapped. schema: its columns as ``read_arrow`` takes them. DataError where it is damaged."""
        try:
            return _mapped(self._path(index, entry), schema)
        except FileNotFoundError:  # another worker made room in the cache just now
            return _mapped(self._path(index, entry), schema)

    def unchecked(self, entry: ShardEntry, schema: Mapping[str, Any], column: str) -> pa.ChunkedArray | None:
        """One column, to look for and not to answer with. None where it would be fetched."""
        if isinstance(self._place, Remote):
            return None
        path = self._place / entry.file
        check_inside(self._place, path)
        try:
            open_regular(path).close()
            return _mapped(path, schema).column(column)
        except (OSError, pa.ArrowException) as error:
            raise DataError(f"{shown(path)}: cannot be read ({said(error)}). {REMEDY}") from None

    def _path(self, index: int, entry: ShardEntry) -> Path:
        """The shard on a local disk, checked once a process, and again where it has been written to since."""
        place = self._place
        path = self._cache.fetch(place, entry) if isinstance(place, Remote) else place / entry.file
        if (stamp := _stamp(path)) and stamp == self._checked.get(index):
            return path
        if not isinstance(place, Remote):
            check_inside(place, path)
            check_file(path, entry)
        elif not _is_whole(path, entry):
            self._cache.drop(entry)
            path = self._cache.fetch(place, entry)
            check_file(path, entry)
        self._checked[index] = stamp
        return path


def _stamp(path: Path) -> tuple[int, ...]:
    """Another one where a file was written to or replaced; empty where there is none."""
    try:
        found = os.stat(path)
    except OSError:
        return ()
    return found.st_mtime_ns, found.st_size, found.st_ino


def _mapped(path: Path, schema: Mapping[str, Any]) -> pa.Table:
    with pa.memory_map(str(path)) as mapped, translated(path, REMEDY):
        return read_arrow(mapped, schema)


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
