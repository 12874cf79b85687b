"""Shards from anywhere, kept on this node: fetched once, however many workers ask, and mapped from the local disk.

A file is named by its SHA-256, so datasets share it and a wrong one cannot be met. It arrives beside its place, is
checked, and then moved there whole. Locks are the kernel's (flock): they go with the process that held them. What was
used longest ago makes room; a mapping that is in use outlives its file's name.
"""

import contextlib
import fcntl
import hashlib
import os
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import gettempdir

import pyarrow as pa
import pyarrow.fs

from evoray.data.manifest import NAME, ShardEntry
from evoray.errors import DataError
from evoray.runtime.paths import expanded
from evoray.runtime.reading import JSON_BYTES, read_at_most, said, shown

CHUNK = 8 * 2**20
ATTEMPTS = 4
"""An object store is asked so often, with growing pauses of half a second and more, before a run stops."""
DEFAULT_GB = 50.0
STALE_S = 3600.0


class Remote:
    """A shard directory at a ``pyarrow.fs`` URI.

    Raises:
        DataError: a URI that pyarrow cannot open, or a file that cannot be read from it.
    """

    def __init__(self, uri: str) -> None:
        try:
            self._fs, self._root = pyarrow.fs.FileSystem.from_uri(uri)
        except (pa.ArrowException, OSError, ValueError) as error:
            raise DataError(f"{shown(uri)}: not a URI that pyarrow can open ({said(error)}).") from None
        self.uri = f"{uri.partition('://')[0]}://{self._root}"
        """For messages: without options and keys."""

    def __str__(self) -> str:
        return self.uri

    def manifest(self) -> tuple[bytes, str]:
        """Its bytes, and its URI for messages."""
        try:
            with self._fs.open_input_stream(f"{self._root}/{NAME}") as stream:
                content = read_at_most(stream, JSON_BYTES, f"{self.uri}/{NAME}")
        except FileNotFoundError:
            raise DataError(
                f"{self.uri}: no {NAME} there, so it holds no (finished) shards. Copy a directory there that "
                "evoray data ingest made, its manifest last."
            ) from None
        except (OSError, pa.ArrowException, ValueError) as error:
            raise self.unreadable(NAME, error) from None
        return content, f"{self.uri}/{NAME}"

    def chunks(self, entry: ShardEntry) -> Iterator[bytes]:
        """A shard's bytes; one that goes on beyond what its manifest says ends there, and so has another digest."""
        left = entry.bytes + 1
        with self._fs.open_input_stream(f"{self._root}/{entry.file}") as stream:
            while content := stream.read(min(CHUNK, left)):
                left -= len(content)
                yield content

    def check(self, entry: ShardEntry) -> None:
        """Reads a shard to its end and keeps nothing; DataError when it is missing, or is not what was written."""
        digest = hashlib.sha256()
        try:
            for content in self.chunks(entry):
                digest.update(content)
        except (OSError, pa.ArrowException) as error:
            raise self.unreadable(entry.file, error) from None
        if digest.hexdigest() != entry.sha256:
            raise self.damaged(entry, digest.hexdigest())

    def unreadable(self, name: str, error: Exception) -> DataError:
        return DataError(
            f"{self.uri}/{name}: cannot be read ({said(error)}). Copy it there again, or give this node access to it."
        )

    def damaged(self, entry: ShardEntry, found: str) -> DataError:
        return DataError(
            f"{self.uri}/{entry.file}: damaged, its SHA-256 is {found} and the manifest says {entry.sha256}. "
            "Copy it there again, or ingest the images again."
        )


class ShardCache:
    """A folder of this node, shared by its workers.

    Args:
        folder: created when first used; limit: bytes that the files in it may take together.

    Raises:
        DataError: a shard that is larger than the limit, that cannot be fetched, arrives with another digest than
            its manifest says, or does not fit on the disk.
    """

    def __init__(self, folder: Path, limit: int) -> None:
        self._folder, self._limit = folder, limit

    def fetch(self, remote: Remote, entry: ShardEntry) -> Path:
        """The shard on the local disk; waits while another worker of this node fetches it."""
        if entry.bytes > self._limit:
            raise DataError(
                f"{remote.uri}/{entry.file}: {entry.bytes / 1e9:.2f} GB, and data.cache_gb = {self._limit / 1e9:g}. "
                "Raise it, so that a few shards a worker fit."
            )
        path = self._folder / entry.sha256
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with self._locked(f".lock-{entry.sha256[:2]}"):
                if not path.exists():
                    self._make_room(entry.bytes)
                    self._arrive(remote, entry, path)
            # used now; what was used longest ago goes first. When it was written stays: shard_files.py looks at it
            os.utime(path, ns=(time.time_ns(), path.stat().st_mtime_ns))
        except OSError as error:
            raise DataError(
                f"{self._folder}: the shard cache cannot be written ({error}). Name a disk with room as "
                "data.cache_dir, or lower data.cache_gb."
            ) from None
        return path

    def drop(self, entry: ShardEntry) -> None:
        """Forgets a file whose content has changed on this disk."""
        (self._folder / entry.sha256).unlink(missing_ok=True)

    def _arrive(self, remote: Remote, entry: ShardEntry, path: Path) -> None:
        part = path.with_suffix(".part")
        for attempt in range(ATTEMPTS):
            if attempt:
                time.sleep(0.5 * 2**attempt)
            try:
                found = _copy(remote, entry, part)
            except FileNotFoundError as error:
                raise remote.unreadable(entry.file, error) from None
            except _SourceError as error:
                failure = remote.unreadable(entry.file, error)
                continue
            if found == entry.sha256:
                os.replace(part, path)
                return
            failure = remote.damaged(entry, found)
        part.unlink(missing_ok=True)
        raise failure

    def _make_room(self, wanted: int) -> None:
        """Removes the files used longest ago until so many bytes fit; leavings of dead processes count and go first."""
        with self._locked(".lock"):
            files = []
            for path in self._folder.iterdir():
                with contextlib.suppress(FileNotFoundError):
                    if not path.name.startswith(".lock"):
                        found = path.stat()
                        files.append((max(found.st_atime, found.st_mtime), found.st_size, path))
            total = sum(size for _, size, _ in files)
            for used, size, path in sorted(files):
                if total + wanted <= self._limit:
                    return
                if path.suffix == ".part" and time.time() - used < STALE_S:
                    continue  # another worker is at it
                path.unlink(missing_ok=True)
                total -= size

    @contextlib.contextmanager
    def _locked(self, name: str) -> Iterator[None]:
        with open(self._folder / name, "wb") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


class _SourceError(Exception):
    """The source could not be read; the disk that it was written to is fine."""


def _copy(remote: Remote, entry: ShardEntry, part: Path) -> str:
    """Writes a remote file to the local disk; the SHA-256 of what arrived."""
    digest = hashlib.sha256()
    with open(part, "wb") as file:
        chunks = remote.chunks(entry)
        while True:
            try:
                content = next(chunks, None)
            except FileNotFoundError:
                raise
            except (OSError, pa.ArrowException) as error:
                raise _SourceError(str(error)) from error
            if content is None:
                return digest.hexdigest()
            digest.update(content)
            file.write(content)


def make_cache(folder: str | None, gigabytes: float | None) -> ShardCache:
    """``data.cache_dir`` and ``data.cache_gb``; else ~/.cache/evoray, or /tmp without a home, and DEFAULT_GB."""
    home = os.path.expanduser("~")
    own = Path(home) / ".cache" / "evoray" if os.path.isabs(home) else Path(gettempdir()) / f"evoray-{os.getuid()}"
    path = Path(expanded(folder)) if folder else own / "shards"
    return ShardCache(path, int((gigabytes or DEFAULT_GB) * 1e9))
