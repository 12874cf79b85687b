"""What tasks have in common whose outputs are a score for every class, one of which is right: all but their inputs.

torch is imported where it is used: ingest asks for the schema alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Self

import numpy as np

from evoray.tasks.base import Batch, Combiner, Figure, Measure, Network
from evoray.tasks.class_scores import PerRecord, brier, predicted_class, score_log_probabilities, score_logits
from evoray.tasks.inputs import two_classes

if TYPE_CHECKING:
    from torch import Tensor


CALIBRATION = {
    "ece": Measure("Calibration error", "0 to 1", False, "ECE"),
    "brier": Measure("Brier score", "0 to 2", False, "Brier", "Brier score"),
}
"""Figures that the final test has besides: they are made of kept records."""


def class_measures(record: str) -> dict[str, Measure]:
    """record: what a record is called in a unit."""
    return {
        "top1": Measure("Top-1 accuracy", "fraction", True, "Top-1"),
        "top5": Measure("Top-5 accuracy", "fraction", True, "Top-5"),
        "nll": Measure("NLL", f"nats per {record}", False, "NLL"),
    }


class Classes:
    """Outputs are logits [n, C] (any float type), targets int64 [n]; one output is the log-odds of class 1."""

    columns: tuple[str, ...] = ("n", "top1", "top5", "invalid", "nll")
    measures: Mapping[str, Measure] = class_measures("record")
    scored: tuple[str, ...] = ("nll", "top1", "top5")
    kept: tuple[str, ...] = ("nll", "rank", "confidence", "brier")

    def outputs(self, network: Network, batch: Batch) -> Tensor:
        found: Tensor = two_classes(network(batch.inputs), batch.inputs)
        return found

    def sums(self, outputs: Tensor, targets: Tensor) -> np.ndarray:
        return score_logits(outputs, targets).counts()

    def scores(self, outputs: Tensor, targets: Tensor) -> dict[str, np.ndarray]:
        """NLL in nats, and 1 where the true class is among the first (the first five), else 0."""
        return score_logits(outputs, targets).scores()

    def figures(self, total: Mapping[str, float]) -> dict[str, Figure]:
        """Means over records; top1 and top5 are fractions, nll is in nats."""
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
    def classification(self) -> Self:
        return self

    def answers(self, outputs: Tensor) -> Tensor:
        return predicted_class(outputs)

    def log_probabilities(self, outputs: Tensor) -> Tensor:
        """The softmax runs in float64."""
        return outputs.double().log_softmax(dim=1)
