"""The rows of a list in memory: one copy of what is often there, and never more of them than a machine can hold."""

from collections.abc import Iterable

from evoray.errors import DataError
from evoray.runtime.reading import shown

MOST = 600 * 2**20
"""Bytes, estimated; with the list itself and what is made of it under 1 GiB."""
MEMO = 50_000
"""Different cells of which one copy is kept: labels, mostly."""
_ROW, _CELL, _TEXT = 160, 8, 52
"""What a row, a cell and a text take in Python beside its own letters."""


class Room:
    """Where rows are kept. origin: the list's name, for the message."""

    def __init__(self, origin: str) -> None:
        self._origin, self._memo, self._bytes = origin, dict[str, str](), 0

    def row(self, cells: Iterable[str]) -> list[str]:
        """The cells as they are to be kept.

        Raises:
            DataError: with them the list takes more than ``MOST`` bytes.
        """
        kept = [self._one(cell) for cell in cells][:]  # a copy has no room to grow
        self._bytes += _ROW + _CELL * len(kept)
        if self._bytes > MOST:
            raise DataError(
                f"{shown(self._origin)}: more cells than {MOST // 2**20} MiB of memory hold. Keep the columns of the "
                "files and the labels, and the lines of this folder's images."
            )
        return kept

    def _one(self, cell: str) -> str:
        if (known := self._memo.get(cell)) is not None:
            return known
        if len(self._memo) < MEMO:
            self._memo[cell] = cell
        self._bytes += _TEXT + len(cell) * (1 if cell.isascii() else 4)
        return cell
