"""Image classification: an image in, a score for every class out, one class is right.

torch is imported where it is used: ingest asks for the schema alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from evoray.data.schema import Schema
from evoray.data.shard import Shard
from evoray.tasks.base import Batch, Measure, Preparation
from evoray.tasks.classes import Classes, class_measures
from evoray.tasks.inputs import input_batch, input_bytes

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
        return input_batch(records, rows, how)

    def batch_bytes(self, records: Shard, count: int, how: Preparation) -> int:
        return input_bytes(records, count, how)

    def targets(self, records: Shard, rows: np.ndarray, device: torch.device) -> Tensor:
        import torch

        return torch.from_numpy(records.labels[rows]).to(device)
