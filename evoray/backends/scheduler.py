"""Which worker evaluates what next. Pure logic: no clock, no network, no torch.

Work is a set of items (children) on each shard; a unit is some items of one shard, bound to a worker as late as
possible. A worker is handed items of the shards it holds; then of a shard that nobody holds; then of another's
shard, where reading it costs less than waiting would. Units are sized to take ``target_seconds`` on their worker and
get smaller towards the end. A worker that is idle at the very end does again what is late elsewhere; the first
result of a unit counts.

Costs of one decision: O(shards held + shards pending), O(1) for each item.
"""

import math
from collections import defaultdict, deque
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import takewhile

WorkerId = Hashable

IN_FLIGHT = 2
"""Units a worker holds: one it works on, and one so that it never waits for the driver."""

SMALLEST = 0.1
"""No unit is cut smaller than this share of the target, however few are left: each costs the driver a message."""

LATE = 1.5
"""A unit that has taken so many times what was expected may take as long again."""

GAIN = 0.5
"""Work is done twice only where that takes less than this share of the wait it ends."""


@dataclass(frozen=True)
class Assignment:
    """Items of one shard, handed to one worker as one unit; ``again`` is the unit it repeats, if any."""

    number: int
    worker: WorkerId
    shard: int
    items: tuple[int, ...]
    again: int | None = None


@dataclass
class Facts:
    """What is known of a worker: shards it holds, seconds an item, seconds to read a shard (None: unknown).

    prices: seconds an item by the group that it belongs to.
    """

    held: set[int] = field(default_factory=set)
    seconds: float | None = None
    loading: float | None = None
    prices: dict[Hashable, float] = field(default_factory=dict)


@dataclass
class _State(Facts):
    busy: deque[int] = field(default_factory=deque)
    """Units it was handed and has not answered, in order: it works on the first."""
    since: float = 0.0
    """When it began with the first of them."""
    retired: bool = False


class Scheduler:
    """Hands out every (shard, item) until each is done, or has killed its worker ``max_attempts`` times.

    An item that did so on one shard, or on several one after the other, is given up on all of them.

    ``now`` is seconds on any clock that does not go back. ``repeat_late`` is for workers that can be lost or be slow:
    an idle one then does again what is late elsewhere. groups: of items whose price is alike and whose units have
    something in common; a unit is of one group.
    """

    def __init__(
        self,
        work: Mapping[int, Sequence[int]],
        target_seconds: float = 1.0,
        max_attempts: int = 3,
        repeat_late: bool = True,
        groups: Mapping[int, Hashable] | None = None,
    ) -> None:
        self._groups = groups or {}
        self._pending = {shard: deque(items) for shard, items in work.items() if len(items)}
        self._left = sum(len(items) for items in self._pending.values())
        self._open = self._left
        self._workers: dict[WorkerId, _State] = {}
        self._active = 0
        self._holders: dict[int, set[WorkerId]] = defaultdict(set)
        self._units: dict[int, Assignment] = {}
        self._copies: dict[int, set[int]] = {}
        self._attempts: dict[tuple[int, int], int] = {}
        self._suspected: dict[int, int] = {}
        """Items of units that died: how many workers each has taken down in a row, alone with it."""
        self._given_up: set[int] = set()
        self._target, self._max_attempts, self._repeat_late = target_seconds, max_attempts, repeat_late
        self._issued = 0
        self.retries = 0

    @property
    def finished(self) -> bool:
        return self._open == 0

    @property
    def waiting(self) -> int:
        """Items that no worker has been handed yet."""
        return self._left

    def join(self, worker: WorkerId, facts: Facts | None = None) -> None:
        """A worker that can take units, with what an earlier job taught about it."""
        facts = facts or Facts()
        self._workers[worker] = _State(set(facts.held), facts.seconds, facts.loading, dict(facts.prices))
        self._active += 1
        for shard in facts.held:
            self._holders[shard].add(worker)

    def facts(self, worker: WorkerId) -> Facts:
        state = self._workers[worker]
        return Facts(set(state.held), state.seconds, state.loading, dict(state.prices))

    def retire(self, worker: WorkerId) -> None:
        """No more units for this worker; those it has go on."""
        state = self._workers.get(worker)
        if state is not None and not state.retired:
            state.retired = True
            self._forget(worker, state)

    def leave(self, worker: WorkerId, *, at_fault: bool = True) -> list[tuple[int, int]]:
        """A worker is gone: its units go back. Returns the (shard, item) pairs that are given up.

        at_fault: its process died by itself, so that what it worked on may be the reason. What was queued behind
        that never ran, and a node that goes away says nothing about anybody.
        """
        state = self._workers.get(worker)
        if state is None:
            return []
        given_up = []
        for position, number in enumerate(list(state.busy)):
            given_up += self.lost(number, at_fault=at_fault and position == 0)
        if not state.retired:
            self._forget(worker, state)
        del self._workers[worker]
        return given_up

    def take(self, worker: WorkerId, now: float) -> Assignment | None:
        """The next unit for this worker, or None while there is nothing (more) for it."""
        state = self._workers[worker]
        if state.retired or len(state.busy) >= IN_FLIGHT:
            return None
        shard = self._choose(worker, state)
        if shard is not None:
            return self._issue(worker, shard, self._pop(state, shard), now)
        late = self._late(worker, state, now) if self._repeat_late and not state.busy else None
        return None if late is None else self._issue(worker, late.shard, late.items, now, late.number)

    def done(
        self, number: int, now: float, seconds: float, loading: float = 0.0, held: Iterable[int] | None = None
    ) -> bool:
        """Notes a result; False when the unit's items were done or given up before.

        seconds: what the unit took on its worker, of which ``loading`` for reading shards.
        held: the shards the worker now has in memory, where it says so.
        """
        unit = self._units.pop(number, None)
        if unit is None:
            return False
        state = self._answered(unit, now)
        self._learn(unit, state, seconds, loading, held)
        copies = self._copies.pop(number, None)
        if copies is None:
            return False
        for other in copies:
            self._copies.pop(other, None)
        self._open -= len(unit.items)
        for item in unit.items if self._suspected else ():
            self._suspected.pop(item, None)
        return True

    def lost(self, number: int, *, at_fault: bool = False) -> list[tuple[int, int]]:
        """Puts a unit back, unless a copy of it is running; returns the (shard, item) pairs that are given up."""
        unit = self._units.pop(number, None)
        if unit is None:
            return []
        if unit.worker in self._workers:
            self._answered(unit, self._workers[unit.worker].since)
        copies = self._copies.pop(number, None)
        if copies is None:
            return []
        copies.discard(number)
        self.retries += 1
        if at_fault:
            for item in unit.items:
                self._attempts[unit.shard, item] = self._attempts.get((unit.shard, item), 0) + 1
                self._suspected[item] = self._suspected.get(item, 0) + (len(unit.items) == 1)
        return [] if copies else self._put_back(unit)

    def superseded(self) -> list[int]:
        """Units still running whose result counts no more."""
        return [number for number in self._units if number not in self._copies]

    def unit(self, number: int) -> Assignment | None:
        """A unit that has not been answered."""
        return self._units.get(number)

    def running(self, worker: WorkerId) -> tuple[int, ...]:
        """Units this worker has not answered, in the order it was handed them."""
        return tuple(self._workers[worker].busy)

    def is_queued(self, number: int) -> bool:
        """Whether a unit waits behind another on its worker."""
        unit = self._units.get(number)
        return unit is not None and self._workers[unit.worker].busy[0] != number

    def _put_back(self, unit: Assignment) -> list[tuple[int, int]]:
        given_up = []
        for item in reversed(unit.items):
            if max(self._attempts.get((unit.shard, item), 0), self._suspected.get(item, 0)) >= self._max_attempts:
                given_up += [(unit.shard, item), *self._take_off(item)]
            elif item in self._given_up:
                given_up.append((unit.shard, item))
            else:
                self._pending.setdefault(unit.shard, deque()).appendleft(item)
                self._left += 1
        self._open -= len(given_up)
        return given_up

    def _take_off(self, item: int) -> list[tuple[int, int]]:
        """Takes what is pending of an item off every shard."""
        self._given_up.add(item)
        found = [shard for shard, items in self._pending.items() if item in items]
        for shard in found:
            self._pending[shard].remove(item)
            if not self._pending[shard]:
                del self._pending[shard]
        self._left -= len(found)
        return [(shard, item) for shard in found]

    def _issue(
        self, worker: WorkerId, shard: int, items: tuple[int, ...], now: float, again: int | None = None
    ) -> Assignment:
        self._issued += 1
        unit = Assignment(self._issued, worker, shard, items, again)
        state = self._workers[worker]
        if not state.busy:
            state.since = now
        state.busy.append(unit.number)
        state.held.add(shard)
        self._holders[shard].add(worker)
        self._units[unit.number] = unit
        copies = self._copies[again] if again is not None else set()
        copies.add(unit.number)
        self._copies[unit.number] = copies
        return unit

    def _answered(self, unit: Assignment, now: float) -> _State:
        state = self._workers[unit.worker]
        state.busy.remove(unit.number)
        state.since = now
        return state

    def _learn(
        self, unit: Assignment, state: _State, seconds: float, loading: float, held: Iterable[int] | None
    ) -> None:
        each = max(seconds - loading, 1e-6) / len(unit.items)
        state.seconds = each if state.seconds is None else 0.3 * state.seconds + 0.7 * each
        group = self._groups.get(unit.items[0])
        known = state.prices.get(group)
        state.prices[group] = each if known is None else 0.3 * known + 0.7 * each
        if loading > 0:
            state.loading = loading
        if held is None or state.retired:
            return
        running = {self._units[number].shard for number in state.busy}
        for shard in state.held - set(held) - running:
            self._holders[shard].discard(unit.worker)
        state.held = set(held) | running
        for shard in state.held:
            self._holders[shard].add(unit.worker)

    def _forget(self, worker: WorkerId, state: _State) -> None:
        self._active -= 1
        for shard in state.held:
            self._holders[shard].discard(worker)

    def _price(self, group: Hashable) -> float | None:
        known = [state.prices[group] for state in self._workers.values() if group in state.prices]
        return sum(known) / len(known) if known else None

    def _mean(self, name: str) -> float | None:
        known = [value for state in self._workers.values() if (value := getattr(state, name)) is not None]
        return sum(known) / len(known) if known else None

    def _choose(self, worker: WorkerId, state: _State) -> int | None:
        if not self._pending:
            return None
        own = [shard for shard in state.held if shard in self._pending]
        if own:
            return max(own, key=lambda shard: (len(self._pending[shard]), -shard))
        nobodys = [shard for shard in self._pending if not self._holders.get(shard)]
        if nobodys:
            return max(nobodys, key=lambda shard: (len(self._pending[shard]), -shard))
        waits = {shard: self._wait(shard) for shard in self._pending}
        shard = max(waits, key=lambda shard: (waits[shard], -shard))
        seconds = state.seconds or self._mean("seconds")
        loading = state.loading if state.loading is not None else self._mean("loading")
        pays = seconds is None or self._backlog(state) + (loading or 0.0) + seconds < waits[shard]
        return shard if pays else None

    def _wait(self, shard: int) -> float:
        """Seconds until those who hold a shard will have done what is pending of it; inf when nobody knows.

        They first finish what they have in hand.
        """
        speed = begun = 0.0
        for worker in self._holders[shard]:
            state = self._workers[worker]
            if state.seconds is not None:
                own = 1 / (state.seconds * sum(other in self._pending for other in state.held))
                speed += own
                begun += own * self._backlog(state)
        return (begun + len(self._pending[shard])) / speed if speed else math.inf

    def _backlog(self, state: _State) -> float:
        """Seconds of work that a worker has in hand; what is done of its present unit is not taken off."""
        items = sum(len(self._units[number].items) for number in state.busy)
        return items * (state.seconds or self._mean("seconds") or 0.0)

    def _pop(self, state: _State, shard: int) -> tuple[int, ...]:
        queue = self._pending[shard]
        items = [queue.popleft()]
        # an item that may have killed a worker goes alone, so that it takes no other down with it
        if not self._is_suspected(shard, items[0]):
            group = self._groups.get(items[0])
            alike = len(queue)
            if self._groups:
                alike = sum(1 for _ in takewhile(lambda item: self._groups.get(item) == group, queue))
            wanted = self._chunk(state, 1 + alike, group)
            while len(items) < wanted and not self._is_suspected(shard, queue[0]):
                items.append(queue.popleft())
        if not queue:
            del self._pending[shard]
        self._left -= len(items)
        return tuple(items)

    def _is_suspected(self, shard: int, item: int) -> bool:
        return item in self._suspected or (shard, item) in self._attempts

    def _chunk(self, state: _State, here: int, group: Hashable) -> int:
        """How many items make a unit of about the target on this worker, of ``here`` pending ones of a group."""
        seconds = state.prices.get(group) or self._price(group) or state.seconds or self._mean("seconds")
        if seconds is None:
            return 1
        wanted = max(1, round(self._target / seconds))
        fewest = max(1, round(SMALLEST * self._target / seconds))
        fair = math.ceil(self._left / (2 * self._active))
        if here < 1.5 * wanted and here <= fair:
            return here
        return min(here, wanted, max(fewest, fair))

    def _late(self, worker: WorkerId, state: _State, now: float) -> Assignment | None:
        """The unit that would be waited for longest, if this worker ends the wait by doing it again."""
        seconds = state.seconds or self._mean("seconds")
        if seconds is None:
            return None
        loading = state.loading if state.loading is not None else self._mean("loading") or 0.0
        worst, longest = None, SMALLEST * self._target
        for other, slow in self._workers.items():
            if other == worker:
                continue
            for unit, wait in self._waits(slow, now):
                takes = seconds * len(unit.items) + (0.0 if unit.shard in state.held else loading)
                if wait > longest and takes < GAIN * wait and self._may_repeat(unit):
                    worst, longest = unit, wait
        return worst

    def _may_repeat(self, unit: Assignment) -> bool:
        copies = self._copies.get(unit.number)
        suspected = any(self._is_suspected(unit.shard, item) for item in unit.items)
        return copies is not None and len(copies) == 1 and not suspected

    def _waits(self, state: _State, now: float) -> Iterable[tuple[Assignment, float]]:
        """Each unit of a worker with the seconds until it is likely done."""
        seconds = state.seconds or self._mean("seconds") or self._target
        elapsed = now - state.since
        total = 0.0
        for position, number in enumerate(state.busy):
            unit = self._units[number]
            expected = seconds * len(unit.items)
            if position > 0:
                total += expected
            elif elapsed > LATE * expected:
                total = elapsed
            else:
                total = max(expected - elapsed, 0.0)
            yield unit, total
