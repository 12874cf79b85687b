"""How long the end of a run waits for its trackers. By then its results are written, and its workers gone.

What costs time is a tracker that owes an answer and does nothing, as one whose server hangs. It is given up after a
hundredth of the run's time, at most LONG_S; in a run so short that this is less than SHORT_S, after these, since no
server answers in no time. Its silence counts from when it was asked, so one that hung before the end costs nothing at
it. One that had failed when it was last asked is asked once more, for a hundredth of the run's time without a least.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

SHARE = 0.01
SHORT_S, LONG_S = 3.0, 15.0
BACKLOG = 4
"""Times the longest silence, for which one that works is waited for: it may have weights to send."""
LOOK_S = 0.02


@dataclass(frozen=True)
class Limits:
    """Seconds. silence: without an answer. behind: in which one that answers has to be told all rounds. whole: of the
    wait, for one that works. failed: of the wait, for one that had failed."""

    silence: float
    behind: float
    whole: float
    failed: float


def limits(run_s: float, patience: float | None, well: bool) -> Limits:
    """For a run of so many seconds. patience: of the configuration, for silence. well: it was not stopped; who stops
    one wants it to stop."""
    share = min(SHARE * run_s, LONG_S)
    silence = max(share, SHORT_S) if patience is None else patience
    longest = BACKLOG * (LONG_S if patience is None else patience)
    failed = share if patience is None else patience
    return Limits(silence, silence, longest if well else silence, failed)


def unlimited(patience: float | None) -> Limits:
    """For whoever waits for nothing else: as long as it answers, whatever it has to be told."""
    return Limits(LONG_S if patience is None else patience, math.inf, math.inf, math.inf)


@dataclass(frozen=True)
class Standing:
    """Of a tracker that is not done. busy_since: since when it owes an answer and has shown no sign of work, None where
    it owes none. ready_since: when it had answered that a run begins, None before. rounds: that it was not told."""

    busy_since: float | None
    ready_since: float | None
    rounds: int
    failed: bool


class Awaited(Protocol):
    """What is waited for: a ``Feeder``."""

    def standing(self) -> Standing | None:
        """None once it is done, one way or the other."""
        ...

    def give_up(self, why: str) -> None: ...


def wait_for(
    trackers: Sequence[Awaited],
    limits: Limits,
    clock: Callable[[], float] = time.monotonic,
    pause: Callable[[float], None] = time.sleep,
) -> None:
    """Until each is done or given up; all at the same time, so that two that hang cost no more than one."""
    began, waiting = clock(), list(trackers)
    try:
        while True:
            left = []
            for one in waiting:
                standing = one.standing()
                if standing is None:
                    continue
                why = _given_up(standing, limits, clock(), began)
                if why is None:
                    left.append(one)
                else:
                    one.give_up(why)
            waiting = left
            if not waiting:
                return
            pause(LOOK_S)
    finally:  # Ctrl-C
        for one in waiting:
            one.give_up("stopped")


def _given_up(standing: Standing, limits: Limits, now: float, began: float) -> str | None:
    """Why no more is waited for it; None to go on."""
    silent = 0.0 if standing.busy_since is None else now - standing.busy_since
    if silent >= limits.silence:
        return f"no answer for {silent:.0f} s"
    if standing.failed and now - began >= limits.failed:
        return ""
    late = standing.ready_since is not None and now - max(began, standing.ready_since) >= limits.behind
    if now - began >= limits.whole or (late and standing.rounds):
        return "it is behind"
    return None
