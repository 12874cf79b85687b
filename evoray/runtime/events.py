"""What happens in a run, as frozen events that go to observers; none of them can stop a run.

The terminal's progress, ``metrics.jsonl`` and every tracker are observers; a user's own is an object with one method.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Protocol

LOG = logging.getLogger("evoray")


@dataclass(frozen=True)
class RunStarted:
    """A run begins, or goes on where it had stopped.

    config: the resolved one, as JSON. counted: what records are called. measure: of the fitness, as ``summary.json``
    has it.
    """

    run: str
    directory: str
    config: Mapping[str, Any]
    resumed: bool
    counted: str = "images"
    measure: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True)
class StageStarted:
    """Work of one kind begins: ``total`` evaluations of an item on a shard are left to do.

    known: those that the journal has. shards: that each item is evaluated on. images: of all evaluations left to do,
    one item on one image is one; counted: what they are, ``images`` or ``records``.
    """

    stage: str
    part: str
    total: int
    known: int = 0
    shards: int = 1
    images: int = 0
    counted: str = "images"


@dataclass(frozen=True)
class StageProgress:
    """So many more of the present stage's evaluations are done."""

    done: int


@dataclass(frozen=True)
class Seen:
    """A candidate that was evaluated.

    kind: parent, child or soup. value: its fitness, in the direction in which people know it; None where it failed.
    block: of the weights that it changes, where the run's mutations have blocks.
    """

    name: str
    kind: str
    value: float | None
    block: int | None = None


@dataclass(frozen=True)
class RoundDone:
    """A round's candidates are evaluated; a line of ``metrics.jsonl``.

    kind: parent, child or soup. Fitness over those that did not fail, None where all did. given_up: reason by name.
    racing: what a race saved and risked, None where there was none. standing: who is best so far, in words. figures: of
    ``best``, the fittest candidate, each of the task's on ``select`` by name, and of ``mean`` the fitness; in the
    directions in which people know them. seen: every candidate.
    """

    generation: int
    kind: str
    candidates: int
    failed: int
    best_fitness: float | None
    mean_fitness: float | None
    wall_s: float
    given_up: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    racing: Mapping[str, Any] | None = None
    standing: str = ""
    figures: Mapping[str, Mapping[str, float | None]] = field(default_factory=lambda: MappingProxyType({}))
    seen: Sequence[Seen] = ()

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready, without what says nothing (``given_up``, ``racing``, ``standing``, ``figures``) and ``seen``."""
        return {
            "generation": self.generation,
            "kind": self.kind,
            "candidates": self.candidates,
            "failed": self.failed,
            "best_fitness": self.best_fitness,
            "mean_fitness": self.mean_fitness,
            "wall_s": self.wall_s,
            **({"given_up": dict(self.given_up)} if self.given_up else {}),
            **({"racing": dict(self.racing)} if self.racing else {}),
            **({"standing": self.standing} if self.standing else {}),
            **({"figures": {of: dict(values) for of, values in self.figures.items()}} if self.figures else {}),
        }


@dataclass(frozen=True)
class ChildGivenUp:
    """A candidate killed every worker that met it on that shard."""

    child: str
    shard: int
    reason: str


@dataclass(frozen=True)
class WorkersChanged:
    """How many workers are in each state: ready, starting, leaving."""

    workers: Mapping[str, int]


@dataclass(frozen=True)
class Noted:
    """A sentence worth showing."""

    text: str


@dataclass(frozen=True)
class RunEnded:
    """The last event of a run: its verdict, or what stopped it."""

    run: str
    verdict: str | None
    error: str | None = None


Event = RunStarted | StageStarted | StageProgress | RoundDone | ChildGivenUp | WorkersChanged | Noted | RunEnded


class Observer(Protocol):
    """The extension point: told everything that happens in a run, on the run's own thread, so it should be quick."""

    def observe(self, event: Event) -> None: ...


class Observers:
    """Tells several observers; one that raises is logged, and neither the run nor the others notice."""

    def __init__(self, observers: Sequence[Observer] = ()) -> None:
        self._observers = tuple(observers)

    def emit(self, event: Event) -> None:
        for observer in self._observers:
            try:
                observer.observe(event)
            except Exception:
                LOG.exception("an observer raised: %s on %s", type(observer).__name__, type(event).__name__)

    def note(self, text: str) -> None:
        self.emit(Noted(text))
