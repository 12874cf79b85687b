"""What tasks have in common whose records are an image or an input, and a target of numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from evoray.tasks.base import Batch, Network, Preparation, ScoredTask, Scores
from evoray.tasks.inputs import answer_of, input_batch, input_bytes

if TYPE_CHECKING:
    import torch
    from torch import Tensor


class TargetTask(ScoredTask):
    """A subclass gives ``records``, whose first column is not finite where the outputs are not, and its figures.

    ``sums`` are the records' number, those that are not finite, and what was kept of each, in that order.
    """

    def batch(self, records: Any, rows: np.ndarray, how: Preparation) -> Batch:
        return input_batch(records, rows, how)

    def batch_bytes(self, records: Any, count: int, how: Preparation) -> int:
        return input_bytes(records, count, how)

    def targets(self, records: Any, rows: np.ndarray, device: torch.device) -> Tensor:
        """[n, ...], of the column's own type."""
        import torch

        return torch.from_numpy(np.ascontiguousarray(records["target"][rows])).to(device)

    def outputs(self, network: Network, batch: Batch) -> Tensor:
        return answer_of(network, batch)

    def sums(self, outputs: Tensor, targets: Tensor) -> np.ndarray:
        rows = self.records(outputs, targets)
        bad = int(np.count_nonzero(~np.isfinite(rows[self.kept[0]])))
        totals = [math.fsum(rows[name]) if not bad else math.nan for name in self.kept]
        return np.array([len(targets), bad, *totals])

    def scores(self, outputs: Tensor, targets: Tensor) -> Scores:
        return self.compared(self.records(outputs, targets))

    def compared(self, records: Mapping[str, np.ndarray]) -> Scores:
        return {name: records[name] for name in self.scored}
