"""The sums of many candidates over many shards, merged as they come: what ``merge_shards`` gives, bit for bit.

Sums are added in shard order. So of each candidate the first shards without a gap are one total, and only what came
out of order is kept until its turn: 2,000 children on 49 shards with macro-F1 over 1,000 classes would be 2.4 GB of
rows, and are 48 MB of totals.
"""

import numpy as np

_UNKNOWN, _MERGED = -1, -2
_BLOCK = 1024
"""Rows that memory is taken for at once; what is not written costs none."""


class MergedSums:
    """Rows are float64 [width]; shards are counted by their place in the order in which they merge."""

    def __init__(self, candidates: int, shards: int, width: int) -> None:
        self._totals = np.empty((candidates, width))
        self._merged = np.zeros(candidates, np.int32)
        self._places = np.full((candidates, shards), _UNKNOWN, np.int32)
        self._blocks: list[np.ndarray] = []
        self._free: list[int] = []

    @property
    def unknown(self) -> np.ndarray:
        """bool [candidates, shards]: what has not come yet."""
        found: np.ndarray = self._places == _UNKNOWN
        return found

    @property
    def waiting(self) -> int:
        """Rows that came out of order, and whose turn has not come."""
        return len(self._blocks) * _BLOCK - len(self._free)

    def add(self, candidate: int, shard: int, row: np.ndarray) -> None:
        """One result; of two for the same candidate and shard the first counts."""
        if row.shape != self._totals.shape[1:]:  # NumPy would spread a single number over all sums
            raise ValueError(f"a result of shape {row.shape} where {self._totals.shape[1:]} is expected")
        if self._places[candidate, shard] != _UNKNOWN:
            return
        if shard != self._merged[candidate]:
            self._places[candidate, shard] = self._keep(row)
            return
        self._merge(candidate, row)
        places = self._places[candidate]
        while (shard := int(self._merged[candidate])) < len(places) and (place := int(places[shard])) >= 0:
            self._merge(candidate, self._blocks[place // _BLOCK][place % _BLOCK])
            self._free.append(place)

    def total(self, candidate: int) -> np.ndarray:
        """float64 [width], over all shards, which must all be there."""
        assert self._merged[candidate] == self._places.shape[1]
        found: np.ndarray = self._totals[candidate]
        return found

    def _merge(self, candidate: int, row: np.ndarray) -> None:
        shard = self._merged[candidate]
        if shard == 0:
            self._totals[candidate] = row
        else:
            self._totals[candidate] += row
        self._places[candidate, shard] = _MERGED
        self._merged[candidate] += 1

    def _keep(self, row: np.ndarray) -> int:
        if not self._free:
            first = len(self._blocks) * _BLOCK
            self._blocks.append(np.empty((_BLOCK, self._totals.shape[1])))
            self._free.extend(reversed(range(first, first + _BLOCK)))
        place = self._free.pop()
        self._blocks[place // _BLOCK][place % _BLOCK] = row
        return place
