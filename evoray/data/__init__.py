"""Images as shards: made once, mapped into memory, cut into ``select`` and ``test``.

Nothing here imports torch before it is used: a process that decodes images does not wait for it.
"""

from evoray.data.cache import Remote, ShardCache, make_cache
from evoray.data.checks.described import described
from evoray.data.checks.verify import verify
from evoray.data.manifest import Manifest
from evoray.data.normalise import normalise
from evoray.data.reader import ArrowDataset, place_of, read_manifest
from evoray.data.registry import open_dataset
from evoray.data.relabel import relabelled
from evoray.data.shard import Shard, ShardDataset
from evoray.data.split_rows import split_rows
from evoray.data.transform import ImageTransform

__all__ = [
    "ArrowDataset",
    "ImageTransform",
    "Manifest",
    "Remote",
    "Shard",
    "ShardCache",
    "ShardDataset",
    "described",
    "make_cache",
    "normalise",
    "open_dataset",
    "place_of",
    "read_manifest",
    "relabelled",
    "split_rows",
    "verify",
]
