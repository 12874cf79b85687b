"""Does a shard directory still hold what was written?"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from evoray.data.manifest import Manifest
from evoray.data.reader import check_file
from evoray.errors import DataError


@dataclass(frozen=True)
class Report:
    """``damaged`` holds one message a bad shard; the set is whole when it is empty."""

    rows: int
    shards: int
    damaged: tuple[str, ...]


def verify(directory: Path) -> Report:
    """Checks every shard's digest; raises DataError when there is no readable manifest."""
    manifest = Manifest.read(directory)
    damaged = []
    for entry in manifest.shards:
        try:
            check_file(directory / entry.file, entry)
        except DataError as error:
            damaged.append(str(error))
    return Report(manifest.rows, len(manifest.shards), tuple(damaged))
