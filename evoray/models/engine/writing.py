"""A child's weights written into tensors that lie anywhere, and taken back bit for bit.

The arithmetic is the one of a child everywhere else: float32 sums from the parent on, rounded to the parent's own type
and then to the engine's. Only what a child changes is drawn and written. Memory: the parent in float32, and 8 bytes a
changed weight of a sparse child.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from evoray.mutation import BLOCK, Entry, Space, add_delta_, delta_between, put_
from evoray.mutation.space import DTYPES

PIECE = 1 << 23
"""Coordinates of a child of several entries that are added up at once: 32 MB."""


class Writer:
    """Writes parent + entries into ``targets``: of each tensor of the space its flat views, which hold the parent.

    state: the parent's tensors.
    """

    def __init__(self, space: Space, state: Mapping[str, Tensor], targets: Mapping[str, Sequence[Tensor]]) -> None:
        self.space = space
        self._base = torch.from_numpy(space.flatten(state))
        self._targets = [tuple(targets[spec.name]) for spec in space.tensors]
        self._written: list[tuple[int, int, int, Tensor | None]] = []

    def write(self, entries: Sequence[Entry]) -> int:
        """Writes a child in place of the one before; returns how many weights were written.

        Raises LineageError for entries that this space does not know; the parent is there then.
        """
        self.take_back()
        try:
            for number in sorted({number for entry in entries for number in entry.mutation.tensors(self.space)}):
                start, stop = map(int, self.space.offsets[number : number + 2])
                width = self._width(entries)
                for first in range(start, stop, width):
                    self._piece(number, first, min(first + width, stop), entries)
        except BaseException:
            self.take_back()
            raise
        return sum(stop - first if index is None else len(index) for _, first, stop, index in self._written)

    def take_back(self) -> None:
        """Writes the parent where a child was."""
        for number, first, stop, index in self._written:
            values = self._base[first:stop]
            self._put(number, first, values if index is None else values.index_select(0, index), index)
        self._written = []

    def _width(self, entries: Sequence[Entry]) -> int:
        widths = [entry.mutation.width(self.space, BLOCK) for entry in entries]
        return widths[0] if len(widths) == 1 else PIECE

    def _piece(self, number: int, first: int, stop: int, entries: Sequence[Entry]) -> None:
        base = self._base[first:stop]
        deltas = (delta_between(self.space, entry, first, stop) for entry in entries)
        index = None
        if len(entries) == 1:
            found, step = next(deltas)
            if not len(found):
                return
            index = torch.from_numpy(found)
            values = base.index_select(0, index).add_(torch.from_numpy(step))
            index = None if len(found) == len(base) else index
        else:
            values = base.clone()
            for found, step in deltas:
                add_delta_(values, torch.from_numpy(found), torch.from_numpy(step))
        self._written.append((number, first, stop, index))
        self._put(number, first, values, index)

    def _put(self, number: int, first: int, values: Tensor, index: Tensor | None) -> None:
        values = values.to(DTYPES[self.space.tensors[number].dtype])
        first -= int(self.space.offsets[number])
        for target in self._targets[number]:
            rounded = values.to(target.device, target.dtype)
            if index is None:
                target[first : first + len(rounded)].copy_(rounded)
            else:
                put_(target[first:], index.to(target.device), rounded)
