"""Children written where the weights are: nothing but a recipe's few numbers goes to the device.

The base is float32 [n], in the order of the space; the buffer is what the network is evaluated from, in a type and in
places of its own. A writer draws a mutation, adds it to the base's values, rounds them (to the parent's own type, then
to the buffer's) and writes them; ``restore`` draws the mask again and writes the base's. Each coordinate occurs once,
so the order of the writes does not matter. Nothing here waits for the device.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from evoray.mutation.apply import add_delta_, put_
from evoray.mutation.device.draw import noise, positions, quantile_table
from evoray.mutation.device.strata import Strata, runs, strata_form
from evoray.mutation.device.tables import Addresses, Tables
from evoray.mutation.recipe import Entry
from evoray.mutation.space import Space

BLOCK = 1 << 20
"""Strata drawn at once: about 80 MB while they are."""


class Writer(ABC):
    """Writes children into ``buffer``, on the device of ``base``; both stay where they are while it is used.

    Args:
        base: float32 [n]; read at every write, so that it may change between two.
        addresses: where the tensors lie in the buffer.
    """

    def __init__(self, space: Space, base: Tensor, buffer: Tensor, addresses: Addresses) -> None:
        self.space, self.base, self.buffer, self.device = space, base, buffer, base.device
        self._addresses = addresses
        self._tables: dict[tuple[int, ...] | None, Tables] = {}
        self.table = quantile_table(self.device)

    def knows(self, entry: Entry) -> bool:
        """Whether its kind has a form for devices."""
        return strata_form(entry.mutation, self.space) is not None

    def write(self, entry: Entry) -> None:
        """Base + entry, at the weights that the entry changes."""
        self._put(entry, changed=True)

    def restore(self, entry: Entry) -> None:
        """The base, at the weights that the entry changes."""
        self._put(entry, changed=False)

    def add_(self, values: Tensor, entry: Entry, start: int, stop: int) -> Tensor:
        """Adds an entry to ``values``, float32 [stop - start], the coordinates start … stop - 1 of a flat vector."""
        strata = self._strata(entry)
        for run in runs(strata, self.space, start, stop):
            first, count = strata.between(run.start, run.stop)
            if count:
                self._add(values, entry.weight, strata, first, count, run.shift - start)
        return values

    @abstractmethod
    def _put(self, entry: Entry, changed: bool) -> None: ...

    @abstractmethod
    def _add(self, values: Tensor, weight: float, strata: Strata, first: int, count: int, shift: int) -> None:
        """The delta of some strata, added at their positions + shift."""

    def _strata(self, entry: Entry) -> Strata:
        strata = strata_form(entry.mutation, self.space)
        assert strata is not None
        return strata

    def tables(self, order: tuple[int, ...] | None) -> Tables:
        """Made once for each order."""
        if order not in self._tables:
            self._tables[order] = Tables.of(self.space, order, self._addresses, self.buffer.dtype, self.device)
        return self._tables[order]


class TorchWriter(Writer):
    """By torch's own operations, in blocks of strata."""

    def _put(self, entry: Entry, changed: bool) -> None:
        strata = self._strata(entry)
        tables = self.tables(strata.order)
        for first, count in _blocks(*strata.between(0, strata.length)):
            drawn = positions(strata, first, count, self.device).add_(strata.start)
            rows = tables.numbers(drawn)
            inner = drawn - tables.starts[rows]
            values = self.base.index_select(0, inner + tables.flat[rows])
            if changed:
                values += self._delta(entry.weight, strata, first, count, rows)
            put_(self.buffer, _places(tables, rows, inner), _rounded(tables, rows, values).to(self.buffer.dtype))

    def _add(self, values: Tensor, weight: float, strata: Strata, first: int, count: int, shift: int) -> None:
        tables = self.tables(strata.order)
        for begin, some in _blocks(first, count):
            places = positions(strata, begin, some, self.device)
            delta = self._delta(weight, strata, begin, some, tables.numbers(places + strata.start))
            add_delta_(values, places.add_(shift), delta)

    def _delta(self, weight: float, strata: Strata, first: int, count: int, rows: Tensor) -> Tensor:
        delta = noise(strata, first, count, self.table)
        delta *= self.tables(strata.order).amplitudes(strata)[rows]
        return delta if weight == 1.0 else delta.mul_(float(np.float32(weight)))


def _blocks(first: int, count: int) -> Iterator[tuple[int, int]]:
    """Aligned, so that no counter block is drawn twice."""
    stop = first + count
    while first < stop:
        end = min(stop, (first // BLOCK + 1) * BLOCK)
        yield first, end - first
        first = end


def _places(tables: Tables, rows: Tensor, inner: Tensor) -> Tensor:
    """Places in the buffer of coordinates ``inner`` of tensors ``rows``."""
    places = tables.places[rows]
    if not tables.transposed:
        return places.add_(inner)
    # row-major (o, i, p) with p in the window goes to (o, p, i): o * I * P + p * I + i
    window, channels = tables.window[rows], tables.channels[rows]
    row = inner // window
    channel = row % channels
    return places.add_((row - channel) * window).add_((inner - row * window) * channels).add_(channel)


def _rounded(tables: Tables, rows: Tensor, values: Tensor) -> Tensor:
    """Values as the parent's own types hold them."""
    for own in tables.rounded:
        values = torch.where(tables.rounds(own)[rows], values.to(own).float(), values)
    return values
