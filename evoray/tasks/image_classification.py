"""Image classification: an image in, a score for every class out, one class is right.

torch is imported where it is used: ingest asks for the schema alone.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from evoray.data.normalise import normalise
from evoray.data.schema import Schema
from evoray.data.shard import Shard
from evoray.tasks.base import Batch, Measure, Preparation
from evoray.tasks.classes import Classes, class_measures
from evoray.tasks.inputs import on_device

if TYPE_CHECKING:
    import torch
    from torch import Tensor


class ImageClassification(Classes):
    """Outputs are logits [n, C] (any float type), targets int64 [n]."""

    schema = Schema(
        task="image-classification",
        columns={"image": "fixed_size_binary", "label": "int64", "source": "string"},
        target="label",
    )
    measures: Mapping[str, Measure] = class_measures("image")

    def batch(self, records: Shard, rows: np.ndarray, how: Preparation) -> Batch:
        """Images as the parent expects them, [b, C, H, W]; shorter batches are filled up with black ones."""
        import torch

        images = torch.from_numpy(_chosen(records.images, rows, how.width))
        batch = normalise(on_device(images, how), how.mean, how.std, how.dtype)
        if how.channels_last:
            batch = batch.contiguous(memory_format=torch.channels_last)
        return Batch(batch, len(rows))

    def batch_bytes(self, records: Shard, count: int, how: Preparation) -> int:
        return count * math.prod(records.images.shape[1:]) * how.dtype.itemsize

    def targets(self, records: Shard, rows: np.ndarray, device: torch.device) -> Tensor:
        import torch

        return torch.from_numpy(records.labels[rows]).to(device)


def _chosen(images: np.ndarray, rows: np.ndarray, width: int | None) -> np.ndarray:
    """uint8 [b, C, H, W]: some of a shard's images, filled up to ``width``."""
    if width is None or len(rows) == width:
        return np.ascontiguousarray(images[rows])
    filled = np.zeros((width, *images.shape[1:]), dtype=np.uint8)
    filled[: len(rows)] = images[rows]
    return filled
