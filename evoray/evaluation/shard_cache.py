"""Shards where they are needed: normalised batches on the device, within a budget.

A shard's batches stay on the device until the budget wants their place for another's; the one used longest ago goes
first. A shard that is larger than the whole budget is never held: its batches are made anew for every pass, the next
one on another thread while one is evaluated, through pinned memory and a stream of its own on CUDA. Either way the
same batches arrive in the same order, so the budget changes time and memory, and not a bit of a result.
"""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from evoray.data import Shard, normalise
from evoray.runtime.prefetch import one_ahead

GIB = 2**30
CPU_GIB = 2.0
FREE_SHARE = 0.5
"""Of a GPU's free memory, where no budget is given; the rest is for activations."""


@dataclass(frozen=True)
class BatchMaker:
    """From stored images to batches [b, C, H, W] on the device, in the type and layout of evaluation.

    width: fill shorter batches up to so many images, with black ones; None leaves them as they are.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]
    device: torch.device
    dtype: torch.dtype
    channels_last: bool
    width: int | None = None

    def __call__(self, images: np.ndarray, rows: np.ndarray) -> Tensor:
        """The batch of some rows of a shard's images, uint8 [n, C, H, W]."""
        return self._finished(torch.from_numpy(self._chosen(images, rows)))

    def beside(
        self, images: np.ndarray, rows: np.ndarray, stream: torch.cuda.Stream
    ) -> tuple[Tensor, torch.cuda.Event]:
        """The same on another stream, from pinned memory; the event says when it is there."""
        pinned = torch.from_numpy(self._chosen(images, rows)).pin_memory()
        with torch.cuda.stream(stream):
            batch = self._finished(pinned)
            event = torch.cuda.Event()  # type: ignore[no-untyped-call]
            event.record(stream)
        event.synchronize()  # on the thread that fetches: ``pinned`` must live until it has been read
        return batch, event

    def _finished(self, images: Tensor) -> Tensor:
        batch = normalise(images.to(self.device, non_blocking=True), self.mean, self.std, self.dtype)
        return batch.contiguous(memory_format=torch.channels_last) if self.channels_last else batch

    def _chosen(self, images: np.ndarray, rows: np.ndarray) -> np.ndarray:
        if self.width is None or len(rows) == self.width:
            return np.ascontiguousarray(images[rows])
        filled = np.zeros((self.width, *images.shape[1:]), dtype=np.uint8)
        filled[: len(rows)] = images[rows]
        return filled


class StreamedBatches:
    """Batches that are made for every pass; see the module's docstring."""

    def __init__(self, images: np.ndarray, parts: list[np.ndarray], maker: BatchMaker) -> None:
        self._images, self._parts, self._maker = images, parts, maker

    def __iter__(self) -> Iterator[Tensor]:
        if self._maker.device.type != "cuda":
            yield from one_ahead(lambda rows: self._maker(self._images, rows), self._parts)
            return
        stream = torch.cuda.Stream(self._maker.device)  # type: ignore[no-untyped-call]
        for batch, event in one_ahead(lambda rows: self._maker.beside(self._images, rows, stream), self._parts):
            current = torch.cuda.current_stream(self._maker.device)
            current.wait_event(event)
            batch.record_stream(current)
            yield batch


@dataclass(frozen=True)
class Prepared:
    """One shard's images of one split: batches [b, C, H, W] on the device (iterable again and again), labels int64 [n].

    The last batch may be filled up: only the first n images count.
    nbytes: what the batches hold for as long as this object lives.
    """

    batches: Iterable[Tensor]
    labels: Tensor
    rows: np.ndarray
    sources: tuple[str, ...]
    nbytes: int


class Residency:
    """Keeps the shards used last, up to ``budget`` bytes of batches; ``loads`` and ``seconds`` count the reading.

    Args:
        read: (shard, rows of the split in it) of a (split, shard).
    """

    def __init__(
        self,
        read: Callable[[str, int], tuple[Shard, np.ndarray]],
        maker: BatchMaker,
        batch_size: int,
        gib: float | Literal["auto"] = "auto",
    ) -> None:
        self._read, self._maker, self._batch_size = read, maker, batch_size
        self.budget = budget_bytes(gib, maker.device)
        self._kept: OrderedDict[tuple[str, int], Prepared] = OrderedDict()
        self.loads = 0
        self.seconds = 0.0

    def get(self, split: str, shard: int) -> Prepared:
        """Reads a shard at most once while it fits. Raises DataError when it is damaged."""
        key = (split, shard)
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key]
        started = time.perf_counter()
        fresh = self._prepare(*self._read(split, shard))
        self._kept[key] = fresh
        while sum(item.nbytes for item in self._kept.values()) > self.budget and len(self._kept) > 1:
            self._kept.popitem(last=False)
        self.loads += 1
        self.seconds += time.perf_counter() - started
        return fresh

    def held(self) -> tuple[tuple[str, int], ...]:
        """(split, shard) of what is in memory, the one used longest ago first."""
        return tuple(self._kept)

    def _prepare(self, loaded: Shard, rows: np.ndarray) -> Prepared:
        parts = [rows[first : first + self._batch_size] for first in range(0, len(rows), self._batch_size)]
        images = len(rows) if self._maker.width is None else len(parts) * self._maker.width
        nbytes = images * math.prod(loaded.images.shape[1:]) * self._maker.dtype.itemsize
        batches: Iterable[Tensor]
        if nbytes > self.budget:
            batches, nbytes = StreamedBatches(loaded.images, parts, self._maker), 0
        else:
            batches = tuple(self._maker(loaded.images, part) for part in parts)
        return Prepared(
            batches=batches,
            labels=torch.from_numpy(loaded.labels[rows]).to(self._maker.device),
            rows=rows,
            sources=tuple(loaded.sources[row] for row in rows),
            nbytes=nbytes,
        )


def budget_bytes(gib: float | Literal["auto"], device: torch.device) -> int:
    """Bytes of ``gib``; ``auto``: CPU_GIB on the CPU, FREE_SHARE of what is free on a GPU."""
    if gib != "auto":
        return int(gib * GIB)
    if device.type == "cuda":
        return int(FREE_SHARE * torch.cuda.mem_get_info(device)[0])
    return int(CPU_GIB * GIB)
