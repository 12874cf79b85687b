"""How far a run is, gathered from its events: what ``state.json`` holds."""

import heapq
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from evoray.runtime.events import (
    ChildGivenUp,
    Event,
    Noted,
    RoundDone,
    RunEnded,
    RunStarted,
    Seen,
    StageProgress,
    StageStarted,
    WorkersChanged,
)

TOP, NOTES = 10, 20
"""The fittest candidates, and the last sentences, that are kept."""
RECENT_S = 60.0
"""The rate is that of the last minute."""


class Live:
    """Told every event, on the run's thread; ``document`` may be asked for on another.

    clock: seconds since 1970, for those who read it elsewhere.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock, self._lock = clock, threading.Lock()
        self._run, self._began = "", 0.0
        self._beginning: RunStarted | None = None
        self._stage: _Stage | None = None
        self._counts = {"children": 0, "failed": 0}
        self._images = 0.0
        self._generations = _Generations()
        self._parent: float | None = None
        self._top: list[Seen] = []
        self._blocks: dict[int, tuple[int, float | None]] = {}
        self._workers: dict[str, int] = {}
        self._notes: deque[str] = deque(maxlen=NOTES)
        self._error: str | None = None
        self.rounds: list[dict[str, Any]] = []
        """Lines of ``metrics.jsonl``."""

    def observe(self, event: Event) -> None:
        with self._lock:
            self._take(event)

    def document(self) -> dict[str, Any]:
        """JSON-ready; ``storage.documents.Live`` is its shape."""
        with self._lock:
            begun = self._beginning
            now = self._clock()
            return {
                "format": 1,
                "run_id": begun.run if begun else "",
                "began": self._began,
                "written": now,
                "counted": begun.counted if begun else "images",
                "measure": dict(begun.measure) if begun and begun.measure else None,
                "stage": self._stage.document(now) if self._stage else None,
                **self._counts,
                "images": round(self._images),
                "generation_s": self._generations.mean,
                "parent_fitness": self._parent,
                "top": [{"id": one.name, "value": one.value} for one in self._top],
                "blocks": [
                    {"block": block, "children": count, "best": best}
                    for block, (count, best) in sorted(self._blocks.items())
                ],
                "workers": self._workers,
                "notes": list(self._notes),
                "error": self._error,
            }

    def _take(self, event: Event) -> None:
        match event:
            case RunStarted():
                self._beginning, self._began = event, self._clock()
            case StageStarted():
                self._stage = _Stage(event, self._clock())
                self._generations.known(event.known)
            case StageProgress() if self._stage is not None:
                self._images += self._stage.advance(event.done, self._clock())
            case RoundDone():
                self._round(event)
            case ChildGivenUp():
                self._notes.append(f"{event.child} on shard {event.shard}: {event.reason}. It ranks last.")
            case WorkersChanged():
                self._workers = dict(event.workers)
            case Noted():
                self._notes.append(event.text)
            case RunEnded():
                self._error = event.error

    def _round(self, done: RoundDone) -> None:
        self.rounds.append(done.to_dict())
        self._generations.add(done.generation, done.wall_s)
        self._counts["failed"] += done.failed
        for one in done.seen:
            self._counts["children"] += one.kind == "child"
            if one.kind == "parent" and self._parent is None:
                self._parent = one.value
            if one.block is not None:
                count, best = self._blocks.get(one.block, (0, None))
                self._blocks[one.block] = count + 1, self._better(best, one.value)
        able = [one for one in (*self._top, *done.seen) if one.value is not None]
        self._top = heapq.nsmallest(TOP, {one.name: one for one in able}.values(), key=self._place)

    def _place(self, one: Seen) -> float:
        assert one.value is not None
        return -one.value if self._higher else one.value

    def _better(self, best: float | None, value: float | None) -> float | None:
        known = [one for one in (best, value) if one is not None]
        return (max if self._higher else min)(known) if known else None

    @property
    def _higher(self) -> bool:
        return bool(self._beginning is None or self._beginning.measure.get("higher_is_better", True))


class _Stage:
    """The work that is going on."""

    def __init__(self, started: StageStarted, now: float) -> None:
        self._started, self._began = started, now
        self._done = 0
        self._recent: deque[tuple[float, int]] = deque([(now, 0)])

    def advance(self, count: int, now: float) -> float:
        """How many images these steps were of, as a mean."""
        self._done += count
        if now - self._recent[-1][0] >= 1.0:  # a thousand steps a second need no thousand places
            self._recent.append((now, self._done))
        while len(self._recent) > 2 and now - self._recent[0][0] > RECENT_S:
            self._recent.popleft()
        return count * self._each

    @property
    def _each(self) -> float:
        return self._started.images / self._started.total if self._started.total else 0.0

    def document(self, now: float) -> dict[str, Any]:
        started = self._started
        first, before = self._recent[0]
        pace = (self._done - before) / (now - first) if now > first else 0.0
        going = pace > 0 and self._done < started.total
        return {
            "name": started.stage,
            "part": str(started.part),
            "total": started.total + started.known,
            "done": self._done + started.known,
            "known": started.known,
            "shards": started.shards,
            "seconds": max(0.0, now - self._began),
            "left": (started.total - self._done) / pace if going else None,
            "rate": pace * self._each if pace > 0 else None,
        }


@dataclass
class _Generations:
    """How long a generation takes: of those of which nothing came from the journal."""

    seconds: dict[int, float] = field(default_factory=dict)
    _known: bool = False

    def known(self, evaluations: int) -> None:
        self._known |= evaluations > 0

    def add(self, generation: int, wall_s: float) -> None:
        if not self._known:
            self.seconds[generation] = self.seconds.get(generation, 0.0) + wall_s
        elif generation in self.seconds:
            del self.seconds[generation]
        self._known = False

    @property
    def mean(self) -> float | None:
        return sum(self.seconds.values()) / len(self.seconds) if self.seconds else None
