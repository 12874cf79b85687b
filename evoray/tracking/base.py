"""What a tracker is, and what it is told. One file a tracker; a user's own is a class with the same methods.

A tracker lives in a process of its own: whatever it imports, prints, raises or waits for is no part of the run.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

Value = float | int


@dataclass(frozen=True)
class Known:
    """What ``tracking.json`` says of a tracker: the id that it gave the run, and the last round that it was told."""

    id: str | None = None
    delivered: int = 0


@dataclass(frozen=True)
class Beginning:
    """A run begins, or goes on.

    run: EvoRay's id of it. location: its directory, as any process names it. config: its resolved configuration,
    flattened: ``mutation.sigma``. settings: ``[tracking]``, with ``name`` and ``directory`` (a local folder) known.
    """

    run: str
    location: str
    config: Mapping[str, Any]
    settings: Mapping[str, Any]
    known: Known = Known()


@dataclass(frozen=True)
class Begun:
    """The tracker's answer.

    id: by which it finds the run again. where: shown to people. delivered: the last round that it has; those up to it
    are not told again.
    """

    id: str
    where: str
    delivered: int = 0


@dataclass(frozen=True)
class Picture:
    """One of the report's figures."""

    name: str
    title: str
    png: bytes


@dataclass(frozen=True)
class Results:
    """What a run ended with.

    verdict, error: one of them is given. figures: on test, ``test/soup/nll``. files: name -> path on this machine.
    step: the last round.
    """

    verdict: str | None
    error: str | None = None
    step: int = 0
    figures: Mapping[str, Value] = field(default_factory=dict)
    pictures: tuple[Picture, ...] = ()
    files: Mapping[str, str] = field(default_factory=dict)


class Tracker(Protocol):
    """The extension point: made without arguments; each method may take its time, and raise."""

    def begin(self, beginning: Beginning) -> Begun: ...

    def round(self, step: int, figures: Mapping[str, Value]) -> None:
        """Figures of one round, by name; steps are counted from 1 and rise. Afterwards they are safe."""
        ...

    def end(self, results: Results) -> None:
        """The last call; afterwards all is safe, and the tracker's own processes have ended."""
        ...
