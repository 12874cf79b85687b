"""Moments of what reaches each BatchNorm layer of one network, on one shard."""

from dataclasses import dataclass

import numpy as np
import torch

from evoray.evaluation.evaluator import Evaluator
from evoray.models import measured
from evoray.mutation import Lineage


@dataclass(frozen=True)
class MomentsUnit:
    """Moments of what reaches each BatchNorm layer of one network on one shard: one row (``Moments.row``)."""

    lineage: Lineage
    split: str
    shard: int

    def run(self, evaluator: Evaluator) -> list[np.ndarray]:
        prepared = evaluator.prepared(self.split, self.shard)
        evaluator.host.set_base(self.lineage.entries)
        with measured(evaluator.host.model) as moments, torch.inference_mode():
            for batch in prepared.batches:
                if batch.count > 1:  # one record's values may be one a channel, which has no variance
                    evaluator.task.outputs(evaluator.host.forward, batch.unfilled())
        return [moments.row()]
