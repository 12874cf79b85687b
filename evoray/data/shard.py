"""What every data source gives: shards of images, each an independent unit of work."""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from evoray.data.schema import Schema


@dataclass(frozen=True)
class Shard:
    """images uint8 [n, C, H, W] (may be a read-only view of a mapped file), labels int64 [n], n source names."""

    index: int
    images: np.ndarray
    labels: np.ndarray
    sources: list[str]

    def __contains__(self, column: str) -> bool:
        return column in ("image", "label")


class ShardDataset(Protocol):
    """The extension point: shards together hold every record once, always in the same order."""

    name: str
    classes: tuple[str, ...]
    shard_rows: tuple[int, ...]
    image_shape: tuple[int, int, int]
    digest: str
    records: Schema | None
    """The columns of a record, where they are recorded."""

    def load(self, index: int) -> Any:
        """One shard: a ``Shard`` of labelled images, or ``Records`` of another task.

        Raises:
            DataError: it is damaged; names the file.
        """
        ...
