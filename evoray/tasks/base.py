"""The extension point: what children are asked to do, from records to batches, outputs, sums and figures.

Nothing above this room knows what a record is or what an output means. A run, its races, intervals and soups see
sums by name, scores a record and figures; so all of them work for any task. A task is one class in one file, here or
in a user's ``package.module:MyTask``. Modules of tasks are read by processes that have no torch (ingest), so they
import it inside their functions.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from evoray.data.schema import Schema
from evoray.data.shard import Shard

if TYPE_CHECKING:
    import torch
    from torch import Tensor

Outputs = Any
"""What a network gives for n records: a tensor [n, ...], or a named tuple of such tensors."""
Network = Callable[..., Any]
"""A forward pass, of a batch's inputs: in order, or by their names."""
Scores = Mapping[str, np.ndarray]
"""By figure, float64 [n]: every record's own value, whose mean over all records is the figure."""


@dataclass(frozen=True)
class Measure:
    """What a figure measures.

    label: its name on a page (``Top-1 accuracy``); short: where a table has little room (``Top-1``).
    unit: ``fraction`` (shown in percent), ``nats per image``, …; empty where it has none.
    said: in a sentence, where that is not the label with a small first letter.
    """

    label: str
    unit: str
    higher_is_better: bool
    short: str
    said: str = ""

    @property
    def words(self) -> str:
        """In a sentence: ``top-1 accuracy``, ``NLL``."""
        return self.said or (self.label if self.label[:2].isupper() else self.label[:1].lower() + self.label[1:])

    def show(self, value: float) -> str:
        """Four digits; a fraction in percent."""
        return f"{100 * value:.2f}%" if self.is_fraction else f"{value:.4g}"

    @property
    def sign(self) -> int:
        """Of a difference that is an improvement."""
        return 1 if self.higher_is_better else -1

    @property
    def is_fraction(self) -> bool:
        return self.unit == "fraction"


@dataclass(frozen=True)
class Figure:
    """One number about a network, and what it measures."""

    value: float
    measure: Measure

    @property
    def unit(self) -> str:
        return self.measure.unit

    @property
    def higher_is_better(self) -> bool:
        return self.measure.higher_is_better


Figures = Mapping[str, Figure]


@dataclass(frozen=True)
class Batch:
    """Inputs of some records, on the device; what has no fixed length is padded inside the batch.

    inputs: what the network takes, tensors [b, ...]; b may be larger than ``count`` where batches have one shape.
    count: records in it; they stand first.
    beside: what the task asks of the records behind the network, which does not see it, such as masks: tensors
        [b, ...] in whatever holds them.
    """

    inputs: Any
    count: int
    beside: Any = None

    def unfilled(self) -> Batch:
        """Without what fills it up."""
        from evoray.tasks.outputs import first_of  # torch

        return Batch(*(first_of(one, self.count) for one in (self.inputs, self.count, self.beside)))


@dataclass(frozen=True)
class Preparation:
    """How a worker wants its batches.

    mean, std: the parent's normalisation, one value a channel, for tasks whose records are images.
    width: fill shorter batches up to so many records; None leaves them as they are.
    pinned: go through pinned memory, where another stream copies.
    """

    device: torch.device
    dtype: torch.dtype
    channels_last: bool
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    width: int | None = None
    pinned: bool = False


class Classification(Protocol):
    """What tasks whose outputs are classes can do besides: counts of each class, calibration, diversity of answers."""

    def answers(self, outputs: Outputs) -> Tensor:
        """int64 [n]: the class given to each record; the number of classes (none of them) where outputs are NaN."""
        ...

    def log_probabilities(self, outputs: Outputs) -> Tensor:
        """float64 [n, C]."""
        ...


class Combiner(Protocol):
    """Members come in order; ``mean`` is the mean of their probabilities, whatever the prediction is made of."""

    def add(self, outputs: Outputs, weight: float = 1.0) -> Tensor:
        """Adds a member's outputs; returns the ensemble's probabilities so far, float64 [n, C]."""
        ...

    @property
    def mean(self) -> Tensor:
        """Weighted mean of the members' probabilities so far, float64 [n, C]."""
        ...


class Task(Protocol):
    """Pure and without state: the same arguments give the same bits on one kind of device.

    One that hangs on its run has ``of_run(classes, of_parent)``, which gives the task for so many classes of the data
    and what is known of the parent: None until the parent is loaded, and for tasks that do not have it speak. It keeps
    the latter as ``of_parent``, which travels to the workers.

    One that calls the network many times for a batch says ``repeats = True``; what children have in common is then kept
    where it has an ``opening`` (``evoray.tasks.opening``). One that keeps a process has ``close()``, which ends it.
    """

    schema: Schema
    """Its name, the columns of a record in a shard, and which is the target."""
    columns: tuple[str, ...]
    """Names of what ``sums`` adds up, ``n`` and ``invalid`` among them."""
    measures: Mapping[str, Measure]
    """Every figure, in the order of tables."""
    scored: tuple[str, ...]
    """Figures that ``scores`` gives for every record, the one that races compare first; empty where it is None."""

    kept: tuple[str, ...]
    """Names of what ``records`` gives."""

    def batch(self, records: Shard, rows: np.ndarray, how: Preparation) -> Batch:
        """Some rows of a shard, in row order."""
        ...

    def batch_bytes(self, records: Shard, count: int, how: Preparation) -> int:
        """What batches of so many records hold on the device, bytes."""
        ...

    def targets(self, records: Shard, rows: np.ndarray, device: torch.device) -> Tensor:
        """What outputs are compared with, [n, ...]."""
        ...

    def outputs(self, network: Network, batch: Batch) -> Outputs:
        """The forward pass, or generation; of all rows of the batch, those that fill it up too."""
        ...

    def sums(self, outputs: Outputs, targets: Tensor) -> np.ndarray:
        """float64 [len(columns)] of one shard; merged in shard order. Counts are exact up to 2**53."""
        ...

    @property
    def scores(self) -> Callable[[Outputs, Tensor], Scores] | None:
        """What races, ``sigma = "auto"`` and paired tests compare; None where records have no values of their own."""
        ...

    def figures(self, total: Mapping[str, float]) -> Figures:
        """From merged sums by name (``SumsLayout.by_name``)."""
        ...

    def predictions(self, outputs: Outputs) -> Outputs:
        """What records are scored from and members are combined in; valid outputs themselves."""
        ...

    def records(self, predictions: Outputs, targets: Tensor) -> Mapping[str, np.ndarray]:
        """Arrays [n, ...] by name: what the final test keeps of every record."""
        ...

    def evaluated(self, records: Mapping[str, np.ndarray]) -> Figures:
        """Every figure of one network from what was kept of all its records, in their order."""
        ...

    def compared(self, records: Mapping[str, np.ndarray]) -> Scores:
        """What was kept of the records as ``scores``: what the paired tests compare."""
        ...

    @property
    def combine(self) -> Callable[[str], Any] | None:
        """By ``ensemble.method``, how members become an ensemble; None: soup and best child only.

        Of a task with a ``classification`` it is a ``Combiner``, and an ensemble's diversity and calibration are of
        classes. Of one without, outputs have a part ``key``, int64 [n], equal where answers are equal; ``add`` returns
        the ensemble's outputs so far, and ``votes`` is the weight behind each answer, float64 [n]. Diversity is how
        often keys differ, and there is no calibration.
        """
        ...

    @property
    def classification(self) -> Classification | None:
        """None where outputs are no classes."""
        ...


class ScoredTask:
    """For a task whose figures are means of its scores: what else it takes. A task of one's own may start from it."""

    measures: Mapping[str, Measure]
    scored: tuple[str, ...]
    kept: tuple[str, ...]
    combine: Any = None
    classification: Any = None

    def __init_subclass__(cls) -> None:
        if "scored" in vars(cls) and "kept" not in vars(cls):
            cls.kept = cls.scored

    def predictions(self, outputs: Outputs) -> Outputs:
        return outputs

    def records(self, predictions: Outputs, targets: Tensor) -> Scores:
        found: Scores = self.scores(predictions, targets)
        return found

    def evaluated(self, records: Mapping[str, np.ndarray]) -> Figures:
        return {
            name: Figure(float(np.sum(values) / len(values)), self.measures[name]) for name, values in records.items()
        }

    def compared(self, records: Mapping[str, np.ndarray]) -> Scores:
        return records

    def scores(self, outputs: Outputs, targets: Tensor) -> Scores:
        raise NotImplementedError


def as_text(figures: Figures) -> str:
    """``NLL 0.2451, top-1 accuracy 92.80%``."""
    return ", ".join(f"{one.measure.words} {one.measure.show(one.value)}" for one in figures.values())


def as_dict(n: int, figures: Figures) -> dict[str, float | int | None]:
    """For JSON and tables: n and every value; None where one is not defined."""
    return {"n": n} | {name: finite_or_none(one.value) for name, one in figures.items()}


def finite_or_none(value: float) -> float | None:
    """For JSON, which has neither NaN nor infinity."""
    return value if math.isfinite(value) else None
