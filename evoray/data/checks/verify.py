"""Does a shard directory, here or at a URI, still hold what was written?"""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from evoray.data.cache import Remote
from evoray.data.manifest import Manifest, ShardEntry
from evoray.data.reader import read_manifest
from evoray.data.record_manifest import RecordManifest
from evoray.data.schema import IMAGES, RECORDS
from evoray.data.shard_files import Place, check_file, check_inside
from evoray.errors import DataError


@dataclass(frozen=True)
class Verified:
    """``damaged`` holds one message a bad shard; the set is whole when it is empty."""

    rows: int
    shards: int
    damaged: tuple[str, ...]
    counted: str = IMAGES


def verify(place: Place, on_progress: Callable[[int, int], None] | None = None) -> Verified:
    """Checks every byte: the manifest's own digest, then every shard's, on all cores; a URI's go by and are not kept.

    Args:
        on_progress: called with (images just checked, images in all).

    Raises:
        DataError: no manifest, or one that is not what was written.
    """
    manifest = read_manifest(place)
    advance = on_progress or (lambda *_: None)

    def check(entry: ShardEntry) -> str | None:
        try:
            if isinstance(place, Remote):
                place.check(entry)
            else:
                check_inside(place, place / entry.file)
                check_file(place / entry.file, entry)
        except DataError as error:
            return str(error)
        return None

    damaged = []
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for entry, message in zip(manifest.shards, pool.map(check, manifest.shards), strict=True):
            advance(entry.rows, manifest.rows)
            if message is not None:
                damaged.append(message)
    return Verified(manifest.rows, len(manifest.shards), tuple(damaged), counted_in(manifest))


def counted_in(manifest: Manifest | RecordManifest) -> str:
    """What its rows are called."""
    return IMAGES if manifest.image_shape[0] else RECORDS
