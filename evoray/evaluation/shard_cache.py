"""Shards where they are needed: the task's batches on the device, and what was kept of them, within a budget.

A shard's batches stay on the device until the budget wants their place for another's; the one used longest ago goes
first. A shard that is larger than the whole budget is never held: its batches are made anew for every pass, the next
one on another thread while one is evaluated, on CUDA through pinned memory and a stream beside it. Either way the
same batches arrive in the same order, so the budget changes time and memory, and not a bit of a result.
"""

import dataclasses
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves

from evoray.data import Shard
from evoray.evaluation.accelerator import Event, accelerator_of
from evoray.runtime.prefetch import one_ahead
from evoray.tasks.base import Batch, Preparation, Task

GIB = 2**30
CPU_GIB = 2.0
FREE_SHARE = 0.5
"""Of a GPU's free memory, where no budget is given; the rest is for activations."""


class StreamedBatches:
    """Batches that are made for every pass; see the module's docstring."""

    def __init__(self, task: Task, records: Shard, parts: list[np.ndarray], how: Preparation) -> None:
        self._task, self._records, self._parts = task, records, parts
        self._accelerator = accelerator_of(how.device)
        self._how = dataclasses.replace(how, pinned=self._accelerator.asynchronous)

    def __iter__(self) -> Iterator[Batch]:
        accelerator = self._accelerator
        for batch, event in one_ahead(self._beside, self._parts):
            current = accelerator.current_stream()
            accelerator.wait_event(current, event)
            for leaf in tree_leaves((batch.inputs, batch.beside)):
                if isinstance(leaf, Tensor):
                    accelerator.record_stream(leaf, current)
            yield batch

    def _beside(self, rows: np.ndarray) -> tuple[Batch, Event]:
        """A batch made on another stream, from pinned memory; the event says when it is there."""
        accelerator = self._accelerator
        stream = accelerator.stream("batches")
        with accelerator.use(stream):
            batch = self._task.batch(self._records, rows, self._how)
            event = accelerator.record_event(stream)
        event.synchronize()  # on the thread that fetches: no more than two batches hold pinned memory
        return batch, event


class Sized(Protocol):
    @property
    def nbytes(self) -> int: ...


@dataclass(frozen=True)
class Prepared:
    """One shard's records of one split: batches on the device (iterable again and again), targets [n, ...].

    nbytes: what the batches hold for as long as this object lives.
    """

    batches: Iterable[Batch]
    targets: Tensor
    rows: np.ndarray
    sources: tuple[str, ...]
    nbytes: int


class ShardCache:
    """Keeps the shards used last, up to ``budget`` bytes of batches; ``loads`` and ``seconds`` count the reading.

    Args:
        read: (shard, rows of the split in it) of a (split, shard).
    """

    def __init__(
        self,
        read: Callable[[str, int], tuple[Shard, np.ndarray]],
        task: Task,
        how: Preparation,
        batch_size: int,
        gib: float | None = None,
    ) -> None:
        self._read, self._task, self._how, self._batch_size = read, task, how, batch_size
        self.budget = budget_bytes(gib, how.device)
        self._kept: OrderedDict[tuple[Any, ...], Sized] = OrderedDict()
        self.loads = 0
        self.seconds = 0.0

    def get(self, split: str, shard: int) -> Prepared:
        """Reads a shard at most once while it fits. Raises DataError when it is damaged."""
        found = self.made((split, shard))
        if found is not None:
            return found  # type: ignore[no-any-return]
        started = time.perf_counter()
        fresh = self._prepare(*self._read(split, shard))
        self.keep((split, shard), fresh)
        self.loads += 1
        self.seconds += time.perf_counter() - started
        return fresh

    def held(self) -> tuple[tuple[str, int], ...]:
        """(split, shard) of what is in memory, the one used longest ago first."""
        return tuple(dict.fromkeys((key[0], key[1]) for key in self._kept))

    def made(self, key: tuple[Any, ...]) -> Any:
        """What was kept under a key that begins with (split, shard); None where it had to go, or never was."""
        if key in self._kept:
            self._kept.move_to_end(key)
        return self._kept.get(key)

    def keep(self, key: tuple[Any, ...], value: Sized) -> None:
        """Keeps it in place of what was used longest ago."""
        self.forget(key)
        self.make_room(value.nbytes)
        self._kept[key] = value

    def forget(self, key: tuple[Any, ...]) -> None:
        """Whoever still uses it holds it."""
        self._kept.pop(key, None)

    def make_room(self, nbytes: int) -> None:
        """Lets go what was used longest ago, so that so many bytes more are within the budget while they are made."""
        while self._kept and sum(item.nbytes for item in self._kept.values()) + nbytes > self.budget:
            self._kept.popitem(last=False)

    def _prepare(self, loaded: Shard, rows: np.ndarray) -> Prepared:
        parts = [rows[first : first + self._batch_size] for first in range(0, len(rows), self._batch_size)]
        count = len(rows) if self._how.width is None else len(parts) * self._how.width
        nbytes = self._task.batch_bytes(loaded, count, self._how)
        batches: Iterable[Batch]
        if nbytes > self.budget:
            batches, nbytes = StreamedBatches(self._task, loaded, parts, self._how), 0
        else:
            self.make_room(nbytes)
            batches = tuple(self._task.batch(loaded, part, self._how) for part in parts)
        return Prepared(
            batches=batches,
            targets=self._task.targets(loaded, rows, self._how.device),
            rows=rows,
            sources=tuple(loaded.sources[row] for row in rows),
            nbytes=nbytes,
        )


def budget_bytes(gib: float | None, device: torch.device) -> int:
    """Bytes of ``gib``; ``auto``: CPU_GIB on the CPU, FREE_SHARE of what is free on a GPU."""
    if gib is not None:
        return int(gib * GIB)
    free = accelerator_of(device).free_bytes()
    return int(CPU_GIB * GIB) if free is None else int(FREE_SHARE * free)
