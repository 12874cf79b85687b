"""The parent on a few images of ``select``, on the driver and before a run: enough to say what is to be expected."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from evoray.data.shard import Shard
from evoray.data.splits import Splits
from evoray.errors import EvorayError, ModelError
from evoray.evaluation.passes import Sample, close, sample_of
from evoray.runtime.reading import reason_of
from evoray.tasks.base import Batch, Outputs, Preparation, Task
from evoray.tasks.inputs import two_classes
from evoray.tasks.outputs import put, room_for

FEW, MANY = 4, 64
"""Images that are always looked at, and that are at most."""
TRIED = 8
"""Records whose outputs a task may look at."""
SECONDS = 0.1
"""Which looking at more than FEW may take."""


class OneOutput(nn.Module):
    """A parent as image classification takes it; met: whether it has one output where two classes want two."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net, self.met = net, False

    def forward(self, images: Tensor) -> Any:
        answer = self.net(images)
        found = two_classes(answer, images)
        self.met = found is not answer
        return found


@dataclass(frozen=True)
class Trial:
    """normalisation: (mean, std), one value a channel."""

    task: Task
    model: nn.Module
    splits: Splits
    normalisation: tuple[tuple[float, ...], tuple[float, ...]]

    @cached_property
    def first(self) -> tuple[Shard, np.ndarray]:
        """The first shard of ``select`` and its rows; read once, for shards are large."""
        shard = self.splits.shards("select")[0]
        return self.splits.datasets["select"].load(shard), self.splits.rows["select"][shard]

    def sample(self, dtype: torch.dtype) -> Sample:
        """Batches of one image of it."""
        return sample_of(self.task, *self.first, *self.normalisation, dtype)

    def batch(self, images: int) -> tuple[Batch, Tensor]:
        """So many images, or all that the first shard has, spread over it; and their targets."""
        records, rows = self.first
        rows = rows[np.unique(np.linspace(0, len(rows) - 1, images).astype(np.int64))]
        device = torch.device("cpu")
        dtype = next((p.dtype for p in self.model.parameters() if p.is_floating_point()), torch.float32)
        batch = self.task.batch(records, rows, Preparation(device, dtype, False, *self.normalisation))
        return batch, self.task.targets(records, rows, device)

    def outputs(self, images: int) -> tuple[Outputs, Tensor]:
        """Outputs and targets of so many images, as in ``batch``."""
        batch, targets = self.batch(images)
        with torch.inference_mode():
            part = self.task.outputs(self.model, batch)
            outputs = room_for(part, batch.count)
            put(outputs, part, 0, batch.count)
        return outputs, targets

    def check(self) -> tuple[str, ...]:
        """Two records through the network and the task; returns what the task says of more, where it looks at them.

        Raises:
            ModelError: the network cannot take them, or gives what the task cannot use.
        """
        try:
            outputs, targets = self.outputs(2)
            self.task.sums(outputs, targets)
            if not hasattr(self.task, "tried"):
                return ()
            with torch.inference_mode():
                said: tuple[str, ...] = self.task.tried(self.model, self.batch(TRIED)[0])
            return said
        except EvorayError:
            raise
        except Exception as error:  # a network or a task of the user's own may raise anything
            raise ModelError(
                f"the parent cannot be judged on records of {self.task.schema.task}: {reason_of(error)}. Look at what "
                "its forward takes and returns; evoray data show says what a record is."
            ) from error

    @cached_property
    def quick(self) -> tuple[Outputs, Tensor]:
        """Outputs and targets of FEW images, and of up to MANY where those are fast."""
        self.first  # noqa: B018 (read before the clock starts)
        started = time.perf_counter()
        few = self.few
        images = int(FEW * SECONDS / max(time.perf_counter() - started, 1e-9))
        return self.outputs(min(images, MANY)) if images >= 2 * FEW else few

    @cached_property
    def few(self) -> tuple[Outputs, Tensor]:
        """Outputs and targets of FEW images."""
        return self.outputs(FEW)

    def check_batches(self) -> None:
        """Raises ModelError where the first and the last image have other outputs among many than among few: a network
        may do something else with large batches. At the end of a run a whole batch is compared (results/rebuilt.py)."""
        (few, _), (many, targets) = self.few, self.quick
        if self.task.classification is None or not isinstance(few, Tensor) or not isinstance(many, Tensor):
            return
        if few.shape[1:] == many.shape[1:] and not close((many[[0, -1]],), (few[[0, -1]],)):
            raise ModelError(
                f"the parent: an image gives other outputs in a batch of {len(targets)} than in one of {len(few)}. "
                "Outputs may not depend on how many images a batch has, or which: normalise each image by itself."
            )

    def classes_out(self) -> int:
        """How many scores the parent gives a record. Raises ModelError where it gives none."""
        try:
            outputs = self.outputs(2)[0]
        except EvorayError:
            raise
        except Exception as error:
            raise ModelError(f"the parent cannot evaluate records of select: {reason_of(error)}.") from error
        if not isinstance(outputs, Tensor) or outputs.ndim != 2:
            shape = list(outputs.shape) if isinstance(outputs, Tensor) else type(outputs).__name__
            raise ModelError(
                f"the parent returned {shape} for 2 records: it has to return logits [records, classes]. A network "
                "without a head for its classes (a base model, or one that predicts tokens) needs one first."
            )
        return int(outputs.shape[1])

    def answers(self, images: int) -> tuple[np.ndarray, np.ndarray]:
        """Of so many images the class that the parent gives and the label, int64 [n] each."""
        assert self.task.classification is not None, "asked of classifications only"
        outputs, targets = self.outputs(images)
        return self.task.classification.answers(outputs).numpy(), targets.numpy()
