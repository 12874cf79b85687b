"""Multi-label classification: any number of labels may be right for a record, each a question of its own."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from evoray.data.schema import Schema
from evoray.tasks.base import Figure, Figures, Measure, Scores
from evoray.tasks.inputs import flat
from evoray.tasks.targets import TargetTask

if TYPE_CHECKING:
    from torch import Tensor


class MultiLabel(TargetTask):
    """Outputs are logits [n, L], targets uint8 [n, L] of 0 and 1; a label is given where its logit is above 0.

    bce is binary cross-entropy, the mean over a record's labels; f1 counts labels of all records together (micro).
    """

    schema = Schema(task="multi-label", columns={"target": "fixed_size_binary"}, target="target")
    columns: tuple[str, ...] = ("n", "invalid", "bce", "exact", "accuracy", "right", "wrong", "missed")
    measures: Mapping[str, Measure] = {
        "bce": Measure("Cross-entropy", "nats per label", False, "BCE"),
        "exact": Measure("All labels right", "fraction", True, "Exact"),
        "accuracy": Measure("Label accuracy", "fraction", True, "Accuracy"),
        "f1": Measure("Micro-F1", "fraction", True, "F1", "micro-F1"),
    }
    logits = True
    """Probabilities are refused: the sigmoid is taken here."""
    scored: tuple[str, ...] = ("bce", "exact", "accuracy")
    kept: tuple[str, ...] = ("bce", "exact", "accuracy", "right", "wrong", "missed")
    """Of every record; right, wrong and missed count labels that were given rightly, given wrongly, not given."""

    def records(self, predictions: Tensor, targets: Tensor) -> Scores:
        import torch

        logits, wanted = flat(predictions, targets, "a record has labels for")
        given, right = logits > 0, wanted > 0
        loss = torch.nn.functional.binary_cross_entropy_with_logits(logits, wanted, reduction="none").mean(dim=1)
        loss = torch.where(logits.isfinite().all(dim=1), loss, math.nan)
        same = given == right
        columns = loss, same.all(1), same.double().mean(1), (given & right).sum(1), (given & ~right).sum(1)
        columns = *columns, (~given & right).sum(1)  # type: ignore[assignment]
        return {name: one.double().numpy() for name, one in zip(self.kept, columns, strict=True)}

    def figures(self, total: Mapping[str, float]) -> Figures:
        return self._figures(total["n"], [total[name] for name in self.kept])

    def evaluated(self, records: Mapping[str, np.ndarray]) -> Figures:
        return self._figures(len(records["bce"]), [float(np.sum(records[name])) for name in self.kept])

    def _figures(self, n: float, sums: list[float]) -> Figures:
        bce, exact, accuracy, right, wrong, missed = sums
        asked = 2 * right + wrong + missed
        values = {
            "bce": bce / n,
            "exact": exact / n,
            "accuracy": accuracy / n,
            "f1": 2 * right / asked if asked else math.nan,
        }
        return {name: Figure(value, self.measures[name]) for name, value in values.items()}
