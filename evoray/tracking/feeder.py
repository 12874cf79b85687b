"""A thread that keeps a tracker's process fed; the run itself never waits for either.

What is told stands in a bounded queue. A request that fails is kept and tried again, from the run's beginning on where
the process has died; once the queue is full, later rounds are left to be sent from ``metrics.jsonl``.
"""

from __future__ import annotations

import queue
import threading
import time
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from evoray.tracking.base import Begun
from evoray.tracking.ending import Standing
from evoray.tracking.remote import NotTold, Remote
from evoray.tracking.state import State

QUEUED = 10_000
"""Rounds that wait for a tracker at most."""
AGAIN_S, AGAIN_MOST_S = 5.0, 300.0
"""Between two tries; each failure doubles it."""
DEATHS = 3
"""After so many deaths of its process a tracker is given up."""

Request = dict[str, Any]


class Feeder:
    """One tracker, as the run sees it.

    Args:
        begin: the request with which a process begins; ``known`` in it is filled in each time.
    """

    def __init__(self, name: str, begin: Mapping[str, Any], state: State) -> None:
        self.name, self._state = name, state
        self._begin_request = dict(begin)
        self._queue: queue.Queue[Request | None] = queue.Queue(QUEUED)
        self._pending: deque[Request] = deque([{"kind": "started"}])
        self._remote = Remote()
        self._delivered = 0
        self._dropped = 0
        self._rounds, self._taken = 0, 0
        self._ready_since: float | None = None
        self.where, self.problem = "", ""
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"evoray-{name}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def tell(self, request: Request) -> None:
        """Returns at once. After one without room the later ones are left out too: what is told is a beginning."""
        if self._dropped:
            self._dropped += 1
            return
        try:
            self._queue.put_nowait(request)
            self._rounds += request["kind"] == "round"
        except queue.Full:
            self._dropped += 1

    def close(self) -> None:
        """Nothing more is told."""
        self._closing.set()
        with suppress(queue.Full):
            self._queue.put_nowait(None)  # wakes it

    def standing(self) -> Standing | None:
        if not self._thread.is_alive():
            return None
        return Standing(self._remote.busy_since, self._ready_since, self._rounds - self._taken, bool(self.problem))

    def give_up(self, why: str) -> None:
        """why: empty where it failed, and has said why."""
        self.problem = why or self.problem
        self._remote.abandon()

    def missed(self) -> int:
        """How many rounds, and the end, it was not told; after its last chance."""
        self._remote.abandon()
        self._thread.join(1.0)
        left = [one for one in (*self._pending, *self._queue.queue) if one is not None and one["kind"] != "started"]
        return len(left) + self._dropped

    def _run(self) -> None:
        try:
            self._feed()
        finally:
            self._remote.close()

    def _feed(self) -> None:
        again, wait = 0.0, AGAIN_S
        while not self._remote.is_abandoned and self._remote.deaths < DEATHS:
            last = self._closing.is_set() and self._queue.empty()
            if self._pending and (last or time.monotonic() >= again):
                if self._try():
                    wait = AGAIN_S
                else:
                    again, wait = time.monotonic() + wait, min(2 * wait, AGAIN_MOST_S)
            if last:
                return
            with suppress(queue.Empty):
                request = self._queue.get(timeout=1.0)
                if request is not None:
                    self._pending.append(request)

    def _try(self) -> bool:
        """All that is pending, in order; whether the tracker took it."""
        try:
            while self._pending:
                if not self._remote.is_alive:
                    self._begin()
                self._deliver(self._pending[0])
                self._taken += self._pending.popleft()["kind"] == "round"
                self.problem = ""
        except Exception as error:
            if not self._remote.is_abandoned:
                self.problem = str(error) if isinstance(error, NotTold) else f"{type(error).__name__}: {error}"
            return False
        return True

    def _begin(self) -> None:
        known = self._state.known(self.name)
        beginning = {**self._begin_request["beginning"], "known": {"id": known.id, "delivered": known.delivered}}
        self._remote.start()
        try:
            found = self._remote.ask({**self._begin_request, "beginning": beginning})
        except NotTold:
            self._remote.kill()
            raise
        self._ready_since = time.monotonic()
        self._delivered, self.where = int(found["delivered"]), str(found["where"])
        self._state.begun(self.name, Begun(str(found["id"]), self.where, self._delivered))

    def _deliver(self, request: Request) -> None:
        if request["kind"] == "round" and request["step"] > self._delivered:
            self._remote.ask(request)
            self._delivered = request["step"]
            self._state.delivered(self.name, self._delivered)
        elif request["kind"] == "end":
            self._remote.ask(request)
            self._state.ended(self.name, request["error"] is None)
            self._remote.stop()
