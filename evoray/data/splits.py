"""``select`` and ``test``: the search sees one, and nothing can read the other before the search is over.

Until ``open_test`` the test set is a number of images, a shape, class names and a digest: there is no dataset and no
row of it to ask for, on the driver as on every worker, and asking raises. A unit that reads ``test`` carries the
``SearchClosed`` that the run made when its last child was evaluated; after that no further child is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Never

import numpy as np

from evoray.data import ShardDataset, make_cache, open_dataset, relabelled, split_rows
from evoray.data.checks.described import columns_of
from evoray.data.checks.overlap import check_apart
from evoray.data.schema import IMAGES, RECORDS
from evoray.errors import RunError
from evoray.runtime.seeds import Stream, generator

if TYPE_CHECKING:  # a configuration is handed in, and only read
    from evoray.config import DataConfig


@dataclass(frozen=True)
class SearchClosed:
    """Says that a run's search is over; ``Session.close_search`` makes it."""

    run_id: str


@dataclass(frozen=True)
class Described:
    """What may be known of a dataset before it is read. columns: ``described.columns_of``; made: how they were
    (``RecordManifest.read``)."""

    image_shape: tuple[int, int, int]
    classes: tuple[str, ...]
    digest: str
    rows: int
    columns: Mapping[str, str] = field(default_factory=dict)
    made: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, dataset: ShardDataset) -> Described:
        columns, made = columns_of(getattr(dataset, "manifest", None)), getattr(dataset, "read", {})
        rows = sum(dataset.shard_rows)
        return cls(dataset.image_shape, tuple(dataset.classes), dataset.digest, rows, columns, made)


class _Sealed(dict[str, Any]):
    """A dictionary without ``test`` in it; asking for it says why."""

    def __missing__(self, split: str) -> Never:
        if split == "test":
            raise RunError(
                "test was asked for before the search was over. Choose on select; test is opened once, at the end."
            )
        raise KeyError(split)


class Splits:
    """Which rows of which shards are ``select`` and which are ``test``; the same on every worker."""

    def __init__(self, data: DataConfig, seed: int, config_dir: Path | None) -> None:
        self._data, self._seed, self._config_dir = data, seed, config_dir
        select = _open(data, data.path, config_dir)
        test = select if data.test_path is None else _open(data, data.test_path, config_dir)
        rows = self._cut(select, test)
        self.described: Mapping[str, Described] = {"select": Described.of(select), "test": Described.of(test)}
        self._images = {name: sum(len(part) for part in parts) for name, parts in rows.items()}
        self._kept: tuple[ShardDataset, list[np.ndarray]] | None = None
        self.datasets: dict[str, ShardDataset] = _Sealed(select=select)
        self.rows: dict[str, list[np.ndarray]] = _Sealed(select=rows["select"])

    def check_apart(self) -> None:
        """Raises DataError where ``test_path`` is ``path``, or a copy of it; gives nothing of the test set away."""
        if self._data.test_path is not None:
            check_apart(*(open_dataset(path, self._config_dir) for path in (self._data.path, self._data.test_path)))

    def meet(self, split: str, other: Splits, theirs: str) -> int:
        """How many records of a split are of another's; digests and numbers alone are compared, and nothing read."""
        ours, others = self._where(split), other._where(theirs)
        if ours[0] != others[0]:
            return 0
        return sum(len(np.intersect1d(one, two)) for one, two in zip(ours[1], others[1], strict=True))

    def _where(self, split: str) -> tuple[str, list[np.ndarray]]:
        """The digest of the set that a split is cut from, whatever its labels are called, and its rows."""
        select = _opened(self._data, self._data.path, self._config_dir)
        other = self._data.test_path
        test = select if other is None else _opened(self._data, other, self._config_dir)
        return (select if split == "select" else test).digest, self._cut(select, test)[split]

    def open_test(self, closed: SearchClosed) -> None:
        """From here on ``test`` can be read; opening twice is fine.

        Raises:
            RunError: ``closed`` is not a run's word that its search is over.
        """
        if not isinstance(closed, SearchClosed):
            raise RunError("test is opened with the SearchClosed of a run, and with nothing else.")
        if self.test_is_open:
            return
        if self._kept is None:
            select = self.datasets["select"]
            test = select if self._data.test_path is None else _open(self._data, self._data.test_path, self._config_dir)
            self._kept = test, self._cut(select, test)["test"]
        self.datasets["test"], self.rows["test"] = self._kept

    @contextmanager
    def opened(self, closed: SearchClosed | None) -> Iterator[None]:
        """``test`` can be read inside, and not afterwards: a worker goes on to the next run. None opens nothing."""
        before = self.test_is_open
        if closed is not None:
            self.open_test(closed)
        try:
            yield
        finally:
            if closed is not None and not before:
                self._kept = self.datasets.pop("test"), self.rows.pop("test")

    @property
    def test_is_open(self) -> bool:
        return "test" in self.datasets

    def shards(self, split: str) -> list[int]:
        """Shards that have images of this split, in order."""
        return [index for index, rows in enumerate(self.rows[split]) if len(rows)]

    def images_by_shard(self, split: str) -> dict[int, int]:
        """Of each shard that has images of this split, in order, how many."""
        return {shard: len(self.rows[split][shard]) for shard in self.shards(split)}

    def subset(self, split: str, shard: int, name: str, start: int, stop: int) -> str:
        """Makes ``name`` a split that is rows ``start`` to ``stop`` of a shard's, in a seeded order; returns it."""
        if name not in self.rows:
            self.datasets[name] = self.datasets[split]
            self.rows[name] = [np.zeros(0, dtype=np.int64)] * len(self.rows[split])
        if not len(self.rows[name][shard]):
            whole = self.rows[split][shard]
            order = generator(self._seed, Stream.SUBSETS, shard).permutation(len(whole))
            self.rows[name][shard] = np.sort(whole[order[start:stop]])
        return name

    def first_row(self, split: str, shard: int) -> int:
        """Index in the whole dataset of a shard's first row."""
        return sum(self.datasets[split].shard_rows[:shard])

    @property
    def counted(self) -> str:
        """What rows are called (``data.counted``)."""
        return IMAGES if self.described["select"].image_shape[0] else RECORDS

    def images(self, split: str) -> int:
        return self._images[split]

    def _cut(self, select: ShardDataset, test: ShardDataset) -> dict[str, list[np.ndarray]]:
        shares = {"select": self._data.select, "test": self._data.test}
        if self._data.test_path is None:
            return split_rows(select.shard_rows, shares, self._seed)
        return {
            name: split_rows(dataset.shard_rows, {name: shares[name]}, self._seed)[name]
            for name, dataset in (("select", select), ("test", test))
        }


def _open(data: DataConfig, path: str, config_dir: Path | None) -> ShardDataset:
    return relabelled(_opened(data, path, config_dir), data.outputs)


def _opened(data: DataConfig, path: str, config_dir: Path | None) -> ShardDataset:
    return open_dataset(path, config_dir, make_cache(data.cache_dir, data.cache_gb))
