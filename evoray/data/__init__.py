"""Images as shards: made once, mapped into memory, cut into ``select`` and ``test``."""

from evoray.data.ingest import ingest_dataset, ingest_folder
from evoray.data.manifest import Manifest
from evoray.data.normalise import normalise
from evoray.data.reader import ArrowDataset
from evoray.data.registry import open_dataset
from evoray.data.shard import Shard, ShardDataset
from evoray.data.splits import split_rows
from evoray.data.transform import ImageTransform
from evoray.data.verify import verify

__all__ = [
    "ArrowDataset",
    "ImageTransform",
    "Manifest",
    "Shard",
    "ShardDataset",
    "ingest_dataset",
    "ingest_folder",
    "normalise",
    "open_dataset",
    "split_rows",
    "verify",
]
