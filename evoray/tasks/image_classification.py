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
from evoray.tasks.base import Batch, Combiner, Figure, Measure, Network, Preparation
from evoray.tasks.class_scores import PerRecord, brier, predicted_class, score_log_probabilities, score_logits
from evoray.tasks.inputs import two_classes

if TYPE_CHECKING:
    import torch
    from torch import Tensor


CALIBRATION = {
    "ece": Measure("Calibration error", "0 to 1", False, "ECE"),
    "brier": Measure("Brier score", "0 to 2", False, "Brier", "Brier score"),
}
"""Figures that the final test has besides: they are made of kept records."""


class ImageClassification:
    """Outputs are logits [n, C] (any float type), targets int64 [n]; one output is the log-odds of class 1."""

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
    kept: tuple[str, ...] = ("nll", "rank", "confidence", "brier")

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
        found: Tensor = two_classes(network(batch.inputs))
        return found

    def sums(self, outputs: Tensor, targets: Tensor) -> np.ndarray:
        return score_logits(outputs, targets).counts()

    def scores(self, outputs: Tensor, targets: Tensor) -> dict[str, np.ndarray]:
        """NLL in nats, and 1 where the true class is among the first (the first five), else 0."""
        return score_logits(outputs, targets).scores()

    def figures(self, total: Mapping[str, float]) -> dict[str, Figure]:
        """Means over images; top1 and top5 are fractions, nll is in nats."""
        return {name: Figure(total[name] / total["n"], measure) for name, measure in self.measures.items()}

    def predictions(self, outputs: Tensor) -> Tensor:
        """Log-probabilities, float64 [n, C]."""
        return self.log_probabilities(outputs)

    def records(self, predictions: Tensor, targets: Tensor) -> dict[str, np.ndarray]:
        """nll, confidence, brier float64 and rank int64, [n] each (``PerRecord``)."""
        return {**vars(score_log_probabilities(predictions, targets)), "brier": brier(predictions, targets)}

    def evaluated(self, records: Mapping[str, np.ndarray]) -> dict[str, Figure]:
        """Those of ``figures``, and the calibration error and the Brier score."""
        from evoray.statistics.calibration import ece, reliability_sums  # SciPy: who asks for the schema does not wait

        nll, rank = records["nll"], records["rank"]
        found = {
            "top1": float(np.mean(rank < 1)),
            "top5": float(np.mean(rank < 5)),
            "nll": float(np.sum(nll) / len(nll)),
            "ece": ece(reliability_sums(records["confidence"], rank < 1)),
            "brier": float(np.sum(records["brier"]) / len(nll)),
        }
        return {name: Figure(value, (CALIBRATION.get(name) or self.measures[name])) for name, value in found.items()}

    def compared(self, records: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        return PerRecord(records["nll"], records["rank"], records["confidence"]).scores()

    def combine(self, method: str) -> Combiner:
        """The mean of probabilities, or a vote."""
        from evoray.tasks.combine import make_combiner

        return make_combiner(method)

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
