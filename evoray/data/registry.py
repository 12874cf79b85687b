"""From a configuration's ``data.path`` to a dataset."""

import os
from pathlib import Path

from evoray.data.cache import ShardCache
from evoray.data.reader import open_shards, place_of
from evoray.data.ready.mock import MockDataset
from evoray.data.ready.packaged import PACKAGED, PackagedDataset
from evoray.data.shard import ShardDataset


def open_dataset(spec: str, config_dir: Path | None = None, cache: ShardCache | None = None) -> ShardDataset:
    """``mock:…``, a name of PACKAGED, a shard directory (relative paths also from ``config_dir``), or the URI of one.

    Args:
        cache: where a URI's shards are kept on this node; None is ``make_cache``'s default.

    Raises:
        DataError: no such directory, no manifest in it, or a damaged one. ConfigError: a malformed ``mock:``.
    """
    if spec.startswith("mock:"):
        return MockDataset(spec)
    if spec in PACKAGED:
        return PackagedDataset(spec)
    place = place_of(spec)
    if isinstance(place, Path) and not os.path.exists(place) and config_dir and os.path.exists(config_dir / place):
        place = config_dir / place
    return open_shards(place, cache)
