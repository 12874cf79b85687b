"""The parent on a few images of ``select``, on the driver and before a run: enough to say what is to be expected."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from evoray.data.splits import Splits
from evoray.tasks.base import Outputs, Preparation, Task
from evoray.tasks.outputs import put, room_for

FEW, MANY = 16, 64
"""Images that are always looked at, and that are where it costs at most SECONDS more."""
SECONDS = 0.3


@dataclass(frozen=True)
class Trial:
    """normalisation: (mean, std), one value a channel."""

    task: Task
    model: nn.Module
    splits: Splits
    normalisation: tuple[tuple[float, ...], tuple[float, ...]]

    def outputs(self, images: int) -> tuple[Outputs, Tensor]:
        """Outputs and targets of so many images, or of all that the first shard has, spread over it."""
        shard = self.splits.shards("select")[0]
        records, rows = self.splits.datasets["select"].load(shard), self.splits.rows["select"][shard]
        rows = rows[np.unique(np.linspace(0, len(rows) - 1, images).astype(np.int64))]
        device = torch.device("cpu")
        dtype = next((p.dtype for p in self.model.parameters() if p.is_floating_point()), torch.float32)
        batch = self.task.batch(records, rows, Preparation(device, dtype, False, *self.normalisation))
        with torch.inference_mode():
            part = self.task.outputs(self.model, batch)
            outputs = room_for(part, len(rows))
            put(outputs, part, 0, len(rows))
        return outputs, self.task.targets(records, rows, device)

    def quick(self) -> tuple[Outputs, Tensor]:
        """Outputs and targets of FEW images, or of MANY where those are fast."""
        started = time.perf_counter()
        few = self.outputs(FEW)
        return self.outputs(MANY) if (time.perf_counter() - started) * MANY / FEW < SECONDS else few

    def answers(self, images: int) -> tuple[np.ndarray, np.ndarray]:
        """Of so many images the class that the parent gives and the label, int64 [n] each."""
        assert self.task.classification is not None, "asked of classifications only"
        outputs, targets = self.outputs(images)
        return self.task.classification.answers(outputs).numpy(), targets.numpy()
