"""A dataset whose labels are a parent's outputs: ImageNet's subsets, and classes in another order."""

import dataclasses
import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from evoray.data.shard import Shard, ShardDataset
from evoray.errors import ConfigError


class RelabelledDataset:
    """The same images; label c becomes ``outputs[c]``. Outputs that are no class of the data have no name."""

    def __init__(self, dataset: ShardDataset, outputs: Sequence[int]) -> None:
        self._dataset = dataset
        self._outputs = np.array(outputs, np.int64)
        self.name = dataset.name
        self.shard_rows = dataset.shard_rows
        self.image_shape = dataset.image_shape
        self.records = dataset.records
        self.read = getattr(dataset, "read", {})
        names = dict(zip(outputs, dataset.classes, strict=True))
        self.classes = tuple(names.get(output, "") for output in range(max(outputs) + 1))
        self.digest = hashlib.sha256(f"{dataset.digest} {list(outputs)}".encode()).hexdigest()

    def load(self, index: int) -> Any:
        shard = self._dataset.load(index)
        if isinstance(shard, Shard):
            return dataclasses.replace(shard, labels=self._outputs[shard.labels])
        return dataclasses.replace(shard, columns={**shard.columns, "label": self._outputs[shard["label"]]})


def relabelled(dataset: ShardDataset, outputs: str | Sequence[int]) -> ShardDataset:
    """The dataset under a configuration's ``data.outputs``: itself where that is a word."""
    if isinstance(outputs, str):
        return dataset
    if len(outputs) != len(dataset.classes) or len(set(outputs)) < len(outputs):
        raise ConfigError(
            f"data.outputs: {len(outputs)} numbers ({len(set(outputs))} different) for the {len(dataset.classes)} "
            f"classes of {dataset.name}. Give a different output of the parent for each class, in the classes' order."
        )
    return RelabelledDataset(dataset, outputs)
