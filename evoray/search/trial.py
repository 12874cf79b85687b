"""The parent on a few images of ``select``, on the driver and before a run: enough to say what is to be expected."""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from evoray.data.schema import counted
from evoray.data.shard import Shard
from evoray.data.splits import Splits
from evoray.errors import EvorayError, ModelError
from evoray.evaluation.passes import Sample, as_rounded, close, sample_of
from evoray.runtime.reading import reason_of
from evoray.tasks.base import Batch, Outputs, Preparation, Task
from evoray.tasks.inputs import two_classes
from evoray.tasks.outputs import put, room_for

FEW, WORTH, MANY = 2, 8, 64
"""Images that are always looked at, that are worth a pass of their own, and that are at most."""
TRIED = 8
"""Records whose outputs a task may look at."""
SECONDS = 0.1
"""Which looking at more than FEW may take."""
CPU = torch.device("cpu")
Call = tuple[Tensor | None, Any]
"""Of a network: the images, where it is given one tensor of them and no more, and what a classifier returned."""


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


class Answered(nn.Module):
    """Stands for a network that was run on these images already."""

    def __init__(self, images: Tensor, answer: Any) -> None:
        super().__init__()
        self.images, self._answer = images, answer

    def forward(self, images: Tensor) -> Any:
        return self._answer


@dataclass(frozen=True)
class Pass:
    """Of some rows: the task's outputs, the seconds that they took, and the first two calls of the network in them."""

    rows: np.ndarray
    outputs: Outputs
    channels_last: bool
    seconds: float
    calls: tuple[Call, ...]


@dataclass(frozen=True)
class Trial:
    """One pass of FEW images serves all that is asked of so many, for large networks take long.

    normalisation: (mean, std), one value a channel. channels_last: the run's images are laid out so, and the first pass
    too if the network takes that. known: a first pass of the same rows with other labels.
    """

    task: Task
    model: nn.Module
    splits: Splits
    normalisation: tuple[tuple[float, ...], tuple[float, ...]]
    channels_last: bool = False
    known: Pass | None = None

    @cached_property
    def first(self) -> tuple[Shard, np.ndarray]:
        """The first shard of ``select`` and its rows; read once, for shards are large."""
        shard = self.splits.shards("select")[0]
        return self.splits.datasets["select"].load(shard), self.splits.rows["select"][shard]

    def sample(self, dtype: torch.dtype) -> Sample:
        """Batches of one image of it."""
        return sample_of(self.task, *self.first, *self.normalisation, dtype)

    def relabelled(self, splits: Splits) -> Trial:
        """Of the same records with the labels of other splits."""
        return replace(self, splits=splits, known=self.__dict__.get("first_pass"))

    def outputs(self, images: int) -> tuple[Outputs, Tensor]:
        """Outputs and targets of so many images, or of all that the first shard has, spread over it."""
        return self._with_targets(self._pass(images, False))

    @cached_property
    def first_pass(self) -> Pass:
        """Of FEW images. Raises what the network raises, if it does so in either layout."""
        if self.known is not None and np.array_equal(self.known.rows, self._rows(FEW)):
            return self.known
        if self.channels_last:
            with contextlib.suppress(Exception):  # whatever a network raises: the layout is asked after later
                return self._pass(FEW, True)
        return self._pass(FEW, False)

    @property
    def answered(self) -> Answered | None:
        """What the network itself returned in the first pass; None where that failed, or was no call of it with two
        images or more."""
        try:
            calls = self.first_pass.calls
        except Exception:  # the network is asked by itself then, and what it raises has its own words
            return None
        shape = (len(self.first_pass.rows), *self.first[0].images.shape[1:])
        match calls:
            case ((Tensor() as images, answer),) if images.shape == shape and len(images) > 1:
                return Answered(images, answer)
        return None

    @property
    def took_channels_last(self) -> bool:
        """Whether the network was given images in that layout, and took them."""
        match self.__dict__.get("first_pass"):
            case Pass(channels_last=True, calls=((Tensor() as images, _),)):
                return bool(images.is_contiguous(memory_format=torch.channels_last))
        return False

    def _rows(self, images: int) -> np.ndarray:
        rows = self.first[1]
        return rows[np.unique(np.linspace(0, len(rows) - 1, images).astype(np.int64))]

    def _batch(self, rows: np.ndarray, channels_last: bool) -> Batch:
        dtype = next((p.dtype for p in self.model.parameters() if p.is_floating_point()), torch.float32)
        return self.task.batch(self.first[0], rows, Preparation(CPU, dtype, channels_last, *self.normalisation))

    def _pass(self, images: int, channels_last: bool) -> Pass:
        rows, calls = self._rows(images), list[Call]()

        def network(*args: Any, **named: Any) -> Any:
            answer = self.model(*args, **named)
            shown = args[0] if len(args) == 1 and not named else None
            kept = answer if self.task.classification is not None else None  # else it may be large
            if len(calls) < 2:  # a text is made of many
                calls.append((shown, kept) if isinstance(shown, Tensor) and shown.ndim == 4 else (None, None))
            return answer

        started = time.perf_counter()
        batch = self._batch(rows, channels_last)
        with torch.inference_mode():
            part = self.task.outputs(network, batch)
            outputs = room_for(part, batch.count)
            put(outputs, part, 0, batch.count)
        return Pass(rows, outputs, channels_last, time.perf_counter() - started, tuple(calls))

    def _with_targets(self, found: Pass) -> tuple[Outputs, Tensor]:
        return found.outputs, self.task.targets(self.first[0], found.rows, CPU)

    def check(self) -> tuple[str, ...]:
        """A few records through the network and the task; returns what the task says of more, where it looks at them.

        Raises:
            ModelError: the network cannot take them, or gives what the task cannot use.
        """
        try:
            outputs, targets = self.few
            self.task.sums(outputs, targets)
            if not hasattr(self.task, "tried"):
                return ()
            with torch.inference_mode():
                said: tuple[str, ...] = self.task.tried(self.model, self._batch(self._rows(TRIED), False))
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
        first, most = self.first_pass, int(FEW * SECONDS / max(self.first_pass.seconds, 1e-9))
        if most < MANY and first.seconds <= SECONDS / 2:  # the first pass of a process is slow
            most = int(FEW * SECONDS / max(self._pass(FEW, first.channels_last).seconds, 1e-9))
        if most < WORTH:
            return self.few
        return self._with_targets(self._pass(min(most, MANY), first.channels_last))

    @cached_property
    def few(self) -> tuple[Outputs, Tensor]:
        """Outputs and targets of FEW images."""
        return self._with_targets(self.first_pass)

    def check_batches(self) -> None:
        """Raises ModelError where the first and the last image have other outputs among many than among few: a network
        may do something else with large batches. At the end of a run a whole batch is compared (results/rebuilt.py)."""
        (few, _), (many, targets) = self.few, self.quick
        if self.task.classification is None or not isinstance(few, Tensor) or not isinstance(many, Tensor):
            return
        if few.shape[1:] != many.shape[1:]:
            return
        one, other = (few[[0, -1]],), (many[[0, -1]],)
        if not close(other, one) and not as_rounded(self.model, one, other, self._ends_again):
            said = (
                f"the parent: an image gives other outputs in a batch of {len(targets)} than in one of {len(few)}. "
                "Outputs may not depend on how many images a batch has, or which: normalise each image by itself."
            )
            raise ModelError(counted(said, self.splits.counted))

    def _ends_again(self) -> tuple[Tensor]:
        return (self._pass(FEW, self.first_pass.channels_last).outputs[[0, -1]],)

    def classes_out(self) -> int:
        """How many scores the parent gives a record. Raises ModelError where it gives none."""
        try:
            outputs, targets = self.few
        except EvorayError:
            raise
        except Exception as error:
            raise ModelError(f"the parent cannot evaluate records of select: {reason_of(error)}.") from error
        if not isinstance(outputs, Tensor) or outputs.ndim != 2:
            shape = list(outputs.shape) if isinstance(outputs, Tensor) else type(outputs).__name__
            raise ModelError(
                f"the parent returned {shape} for {len(targets)} records: it has to return logits [records, classes]. "
                "A network without a head for its classes (a base model, or one that predicts tokens) needs one first."
            )
        return int(outputs.shape[1])

    def answers(self, images: int) -> tuple[np.ndarray, np.ndarray]:
        """Of so many images the class that the parent gives and the label, int64 [n] each."""
        assert self.task.classification is not None, "asked of classifications only"
        outputs, targets = self.outputs(images)
        return self.task.classification.answers(outputs).numpy(), targets.numpy()
