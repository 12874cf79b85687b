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
from evoray.tasks.base import Batch, Figure, Measure, Network, Preparation
from evoray.tasks.class_scores import predicted_class, score_logits

if TYPE_CHECKING:
    import torch
    from torch import Tensor


class ImageClassification:
    """Outputs are logits [n, C] (any float type), targets int64 [n]."""

    schema = Schema(
        task="image-classification",
        columns={"image": "fixed_size_binary", "label": "int64", "source": "string"},
        target="label",
    )
    columns: tuple[str, ...] = ("n", "top1", "top5", "invalid", "nll")
    measures: Mapping[str, Measure] = {
        "top1": Measure("Top-1 accuracy", "fraction", True, "Top-1"),
        "top5": Measure("Top-5 accuracy", "fraction", True, "Top-5"),
        "nll": Measure("NLL", "nats per image", False, "NLL"),
    }
    scored: tuple[str, ...] = ("nll", "top1", "top5")

    def batch(self, records: Shard, rows: np.ndarray, how: Preparation) -> Batch:
        """Images as the parent expects them, [b, C, H, W]; shorter batches are filled up with black ones."""
        import torch

        images = torch.from_numpy(_chosen(records.images, rows, how.width))
        if how.pinned:
            images = images.pin_memory()
        batch = normalise(images.to(how.device, non_blocking=True), how.mean, how.std, how.dtype)
        if how.channels_last:
            batch = batch.contiguous(memory_format=torch.channels_last)
        return Batch(batch, len(rows))

    def batch_bytes(self, records: Shard, count: int, how: Preparation) -> int:
        return count * math.prod(records.images.shape[1:]) * how.dtype.itemsize

    def targets(self, records: Shard, rows: np.ndarray, device: torch.device) -> Tensor:
        import torch

        return torch.from_numpy(records.labels[rows]).to(device)

    def outputs(self, network: Network, batch: Batch) -> Tensor:
        found: Tensor = network(batch.inputs)
        return found

    def sums(self, outputs: Tensor, targets: Tensor) -> np.ndarray:
        return score_logits(outputs, targets).counts()

    def scores(self, outputs: Tensor, targets: Tensor) -> dict[str, np.ndarray]:
        """NLL in nats, and 1 where the true class is among the first (the first five), else 0."""
        return score_logits(outputs, targets).scores()

    def figures(self, total: Mapping[str, float]) -> dict[str, Figure]:
        """Means over images; top1 and top5 are fractions, nll is in nats."""
        return {name: Figure(total[name] / total["n"], measure) for name, measure in self.measures.items()}

    @property
    def classification(self) -> ImageClassification:
        return self

    def answers(self, outputs: Tensor) -> Tensor:
        return predicted_class(outputs)

    def log_probabilities(self, outputs: Tensor) -> Tensor:
        """The softmax runs in float64."""
        return outputs.double().log_softmax(dim=1)


def _chosen(images: np.ndarray, rows: np.ndarray, width: int | None) -> np.ndarray:
    """uint8 [b, C, H, W]: some of a shard's images, filled up to ``width``."""
    if width is None or len(rows) == width:
        return np.ascontiguousarray(images[rows])
    filled = np.zeros((width, *images.shape[1:]), dtype=np.uint8)
    filled[: len(rows)] = images[rows]
    return filled
