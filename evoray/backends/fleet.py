"""Workers as the driver sees them: asked for, ready, sent units, lost."""

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from evoray.backends.base import Report
from evoray.backends.worker import Loaded


class Cause(enum.Enum):
    """Why something did not come back."""

    PROCESS = "its process died"
    MEMORY = "it ran out of memory"
    NODE = "its node went away"
    MESSAGE = "a message was lost"
    CANCELLED = "it was called off"


@dataclass(frozen=True)
class Ready:
    """A worker holds the source and takes units."""

    worker: int
    loaded: Loaded


@dataclass(frozen=True)
class Finished:
    """A worker's answer to a unit."""

    worker: int
    unit: int
    report: Report


@dataclass(frozen=True)
class Lost:
    """A unit's answer will not come, or (unit None) a worker died while it loaded the source."""

    worker: int
    unit: int | None
    cause: Cause
    reason: str = ""


Event = Ready | Finished | Lost


class Fleet(Protocol):
    """The extension point under the driver: one implementation for Ray, a simulated one in the tests."""

    def start(self, worker: int) -> None:
        """Asks for a worker; a Ready follows when the cluster has had room and it has loaded, or a Lost."""
        ...

    def load(self, worker: int) -> None:
        """Has a worker load the present source; a Ready or a Lost follows, and none of what it was to load before."""
        ...

    def send(self, worker: int, job: int, unit: int, preamble: bytes | None, payload: bytes) -> None:
        """Queues a unit; a Finished or a Lost follows, in any order."""
        ...

    def cancel(self, unit: int) -> None:
        """Calls a unit off if it has not begun; then a Lost follows."""
        ...

    def forget(self) -> None:
        """Calls all units off; nothing more is heard of them."""
        ...

    def stop(self, worker: int) -> None:
        """Ends a worker; nothing more is heard of it."""
        ...

    def wait(self, seconds: float) -> Sequence[Event]:
        """What has happened since; waits for the first event up to so many seconds."""
        ...

    def leaving(self) -> set[int]:
        """Ready workers whose node is about to go away."""
        ...

    def room(self) -> tuple[int, int]:
        """(workers that fit on the nodes there are, further ones worth asking for, should the cluster grow)."""
        ...
