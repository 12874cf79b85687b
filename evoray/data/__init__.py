"""Images as shards: made once, mapped into memory, cut into ``select`` and ``test``.

Nothing here imports torch before it is used: a process that decodes images does not wait for it.
"""

from evoray.data.cache import Remote as Remote, ShardCache as ShardCache, make_cache as make_cache
from evoray.data.checks.described import described as described
from evoray.data.checks.verify import verify as verify
from evoray.data.manifest import Manifest as Manifest
from evoray.data.normalise import normalise as normalise
from evoray.data.reader import ArrowDataset as ArrowDataset, place_of as place_of, read_manifest as read_manifest
from evoray.data.registry import open_dataset as open_dataset
from evoray.data.relabel import relabelled as relabelled
from evoray.data.shard import Shard as Shard, ShardDataset as ShardDataset
from evoray.data.split_rows import split_rows as split_rows
from evoray.data.transform import ImageTransform as ImageTransform
