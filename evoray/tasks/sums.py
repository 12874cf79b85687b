"""What stands where in a row of sums: the only place that knows it.

A row is one float64 vector: the task's columns, then what the fitness adds of its own, then, where children were
compared with their base record by record, the paired sums. Everything else asks for a column by its name.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

PAIRED = ("difference", "squares")
"""Sums over records of a score minus the base's on the same record, and of its square."""


@dataclass(frozen=True)
class SumsLayout:
    """The layout of rows, float64 [..., width].

    columns: the task's own, ``n`` (records) and ``invalid`` (records with outputs that are not finite) among them.
    own: how many sums the fitness adds behind them.
    paired: whether PAIRED stand at the end.
    """

    columns: tuple[str, ...]
    own: int = 0
    paired: bool = False

    @property
    def width(self) -> int:
        return self._plain + (len(PAIRED) if self.paired else 0)

    @property
    def with_pairs(self) -> SumsLayout:
        """The same with the paired sums behind it."""
        return replace(self, paired=True)

    def column(self, rows: np.ndarray, name: str) -> np.ndarray:
        """float64 [...]: one named sum of every row. Raises ValueError for a name that is none of the layout's."""
        names = self.columns if name in self.columns else PAIRED if self.paired else ()
        start = 0 if names is self.columns else self._plain
        found: np.ndarray = rows[..., start + names.index(name)]
        return found

    def by_name(self, row: np.ndarray) -> Mapping[str, float]:
        """The task's columns of one row."""
        return dict(zip(self.columns, self.columns_of(row).tolist(), strict=True))

    def count(self, row: np.ndarray) -> int:
        """Records that one row is made of."""
        return int(self.column(row, "n"))

    def mean(self, row: np.ndarray, name: str) -> float:
        """A named sum of one row over its records."""
        return float(self.column(row, name) / self.column(row, "n"))

    def columns_of(self, rows: np.ndarray) -> np.ndarray:
        """float64 [..., len(columns)]: the task's own."""
        found: np.ndarray = rows[..., : len(self.columns)]
        return found

    def of_fitness(self, rows: np.ndarray) -> np.ndarray:
        """float64 [..., own]: what the fitness added."""
        found: np.ndarray = rows[..., len(self.columns) : self._plain]
        return found

    def plain(self, rows: np.ndarray) -> np.ndarray:
        """float64 [..., len(columns) + own]: without what stands behind, paired sums or a constraint's counts."""
        found: np.ndarray = rows[..., : self._plain]
        return found

    def row(self, columns: np.ndarray, own: np.ndarray, differences: np.ndarray | None = None) -> np.ndarray:
        """float64 [width] of its parts; ``differences`` float64 [n]: every record's score minus the base's."""
        if differences is None:
            return np.concatenate([columns, own])
        return np.concatenate([columns, own, [differences.sum(), np.square(differences).sum()]])

    def unknown(self, *shape: int) -> np.ndarray:
        """float64 [*shape, width] of NaN, for rows that have not come or never will."""
        return np.full((*shape, self.width), math.nan)

    def is_valid(self, row: np.ndarray) -> bool:
        """Whether every record of a row had finite outputs, and each of the task's sums is finite."""
        return bool(self.column(row, "invalid") == 0) and bool(np.isfinite(self.columns_of(row)).all())

    @property
    def _plain(self) -> int:
        return len(self.columns) + self.own


def merge_shards(rows: np.ndarray) -> np.ndarray:
    """Adds float64 [shards, ...] in shard order, one after the other (never pairwise): the same bits every time."""
    total: np.ndarray = rows[0].copy()
    for row in rows[1:]:
        total += row
    return total
