"""Which worker evaluates what next. Pure logic: no clock, no network, no torch.

Work is a set of items (children) on each shard. A worker keeps the shards it has loaded, so it is handed items
of those first; then of the shard that fewest workers hold; and near the end of anything that is left. Chunks are
sized so that one takes about ``target_seconds`` on that worker, and never so large that the others run dry.
"""

from __future__ import annotations

import math
from collections import defaultdict, deque
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

Worker = Hashable


@dataclass(frozen=True)
class Assignment:
    """Items of one shard, handed to one worker as one unit."""

    number: int
    worker: Worker
    shard: int
    items: tuple[int, ...]


class Scheduler:
    """Hands out every (shard, item) until each is done or has failed ``max_attempts`` times."""

    def __init__(self, work: Mapping[int, Sequence[int]], target_seconds: float = 1.0, max_attempts: int = 3) -> None:
        self._pending = {shard: deque(items) for shard, items in work.items() if len(items)}
        self._open = sum(len(items) for items in self._pending.values())
        self._running: dict[int, Assignment] = {}
        self._held: dict[Worker, set[int]] = defaultdict(set)
        self._seconds: dict[Worker, float] = {}
        self._attempts: dict[tuple[int, int], int] = defaultdict(int)
        self._target = target_seconds
        self._max_attempts = max_attempts
        self._issued = 0
        self.retries = 0

    @property
    def finished(self) -> bool:
        return self._open == 0

    def join(self, worker: Worker, held: Sequence[int] = ()) -> None:
        """A worker that can take units; ``held`` are shards it has in memory already."""
        self._held[worker].update(held)

    def take(self, worker: Worker) -> Assignment | None:
        """The next unit for this worker, or None while nothing is left to hand out."""
        shard = self._choose(worker)
        if shard is None:
            return None
        queue = self._pending[shard]
        items = tuple(queue.popleft() for _ in range(min(len(queue), self._chunk(worker, shard))))
        if not queue:
            del self._pending[shard]
        self._held[worker].add(shard)
        self._issued += 1
        assignment = Assignment(self._issued, worker, shard, items)
        self._running[assignment.number] = assignment
        return assignment

    def done(self, number: int, seconds: float) -> bool:
        """Notes a result; False when that unit was given up before (a late duplicate)."""
        assignment = self._running.pop(number, None)
        if assignment is None:
            return False
        self._open -= len(assignment.items)
        each = seconds / len(assignment.items)
        known = self._seconds.get(assignment.worker)
        # the first unit includes loading the shard, so later ones count more
        self._seconds[assignment.worker] = each if known is None else 0.3 * known + 0.7 * each
        return True

    def lost(self, number: int) -> list[tuple[int, int]]:
        """Puts a unit back; returns the (shard, item) pairs that have now failed for the last time."""
        assignment = self._running.pop(number, None)
        if assignment is None:
            return []
        self.retries += 1
        given_up = []
        for item in reversed(assignment.items):
            self._attempts[assignment.shard, item] += 1
            if self._attempts[assignment.shard, item] >= self._max_attempts:
                given_up.append((assignment.shard, item))
                self._open -= 1
            else:
                self._pending.setdefault(assignment.shard, deque()).appendleft(item)
        return given_up

    def leave(self, worker: Worker) -> list[tuple[int, int]]:
        """A worker is gone: its units go back, its shards are forgotten."""
        numbers = [number for number, unit in self._running.items() if unit.worker == worker]
        given_up = [pair for number in numbers for pair in self.lost(number)]
        self._held.pop(worker, None)
        self._seconds.pop(worker, None)
        return given_up

    def running_on(self, worker: Worker) -> int:
        return sum(unit.worker == worker for unit in self._running.values())

    def _choose(self, worker: Worker) -> int | None:
        if not self._pending:
            return None
        held = self._held[worker]
        own = [shard for shard in self._pending if shard in held]
        if own:
            return max(own, key=lambda shard: (len(self._pending[shard]), -shard))
        holders = self._holders()
        return min(self._pending, key=lambda s: (holders.get(s, 0), -len(self._pending[s]), s))

    def _holders(self) -> dict[int, int]:
        counts: dict[int, int] = defaultdict(int)
        for shards in self._held.values():
            for shard in shards:
                counts[shard] += 1
        return counts

    def _chunk(self, worker: Worker, shard: int) -> int:
        # an item that killed a worker goes alone, so that it takes no other down with it
        if self._attempts.get((shard, self._pending[shard][0])):
            return 1
        seconds = self._seconds.get(worker)
        if seconds is None:
            return 1
        wanted = math.ceil(self._target / max(seconds, 1e-6))
        left = sum(len(queue) for queue in self._pending.values())
        fair = math.ceil(left / (2 * max(1, len(self._held))))
        return max(1, min(wanted, fair))
