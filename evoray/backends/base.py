"""The extension point: evaluate (shard, item) pairs somewhere, give the results back keyed, in any order.

A backend's results equal ``local.py``'s bit for bit. Losing a worker is its own business: the units are done again,
and a result that arrives twice counts once. An item that kills its worker again and again is given up and comes
back with a reason in place of a value; anything else that goes wrong raises one of EvoRay's own errors.

Torch-free, like everything a worker process imports before it is told what to build.
"""

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol


@dataclass
class Counters:
    """What a worker has done so far. images: evaluated. passes: how many of the whole network their work amounts to.
    loads: shards read, which took ``loading`` seconds. note: a sentence for the user, once there is one."""

    images: int = 0
    note: str = ""
    passes: float = 0.0
    loads: int = 0
    loading: float = 0.0


class WorkerState(Protocol):
    """What a worker builds once and runs units on. One that keeps nothing subclasses this and overrides nothing."""

    @property
    def device_name(self) -> str:
        """What decides last bits: the GPU's name, or the CPU's vector instructions; empty where nothing does."""
        return ""

    @property
    def counters(self) -> Counters:
        """They only grow: what a unit cost is the difference that it made."""
        return Counters()

    def held(self) -> tuple[tuple[str, int], ...]:
        """(split, shard) of what is in memory."""
        return ()

    def close(self) -> None:
        """Ends what it keeps running beside this process, where the process goes on without it."""
        return


class Unit(Protocol):
    """Work for one worker on one shard: picklable, pure, small on the wire."""

    @property
    def shard(self) -> int: ...

    def run(self, evaluator: Any) -> list[Any]:
        """One value an item, in order; ``evaluator`` is the WorkerState that the worker's Source built."""
        ...


@dataclass(frozen=True)
class Bulk:
    """The large read-only part of a source, sent to every node once; empty for a source without one.

    key: a digest of ``value``; what a node has under this key is not sent again. nbytes: its size.
    """

    value: Any = None
    key: str = ""
    nbytes: int = 0


class Source(Protocol):
    """What a worker is told to build; small itself, with its large part in a Bulk beside it.

    key: two sources of one key build the same; a worker that has built it is not asked again.
    paths: folders from which worker processes import the user's modules.
    device: what units compute on, ``cpu`` or ``cuda``. threads: PyTorch's, a worker; None leaves PyTorch unimported.
    """

    @property
    def key(self) -> str: ...

    @property
    def paths(self) -> tuple[str, ...]: ...

    @property
    def device(self) -> str: ...

    @property
    def threads(self) -> int | None: ...

    def settings(self) -> AbstractContextManager[None]:
        """How the whole process has to be set while units run; entered before ``build``, by whoever owns the process.

        Who shares the process with its user leaves the context again, and then the process is as it was before.
        """
        ...

    def build(self, bulk: Any) -> WorkerState:
        """``bulk`` is the Bulk's value, perhaps shared by the workers of a node: it is read, never written."""
        ...


@dataclass(frozen=True)
class Job:
    """Items to evaluate on each shard, and how to make a unit of some of them.

    An item is the same thing on every shard: one that is given up on one of them is given up on all.
    shared: objects that all units refer to (by identity); a worker is sent them once.
    split: which images the shards hold; workers keep them, and times are alike, from one job to the next of a split.
    target_seconds: how long a unit should take on its worker.
    run: the run's id, for metrics and log lines; nothing is exported without one.
    groups: by item, what it has in common with others (where their network is cut): a unit is of one group.
    """

    work: Mapping[int, Sequence[int]]
    unit: Callable[[int, tuple[int, ...]], Unit]
    shared: tuple[Any, ...] = ()
    split: str = "select"
    target_seconds: float = 1.0
    run: str = ""
    groups: Mapping[int, Hashable] | None = None


@dataclass(frozen=True)
class Outcome:
    """One item's value on one shard; ``failure`` says why there is none."""

    shard: int
    item: int
    value: Any = None
    failure: str | None = None


@dataclass(frozen=True)
class Report:
    """A unit's values, one an item, and what they cost on the worker.

    seconds: of which ``loading`` for reading ``loads`` shards; before it, ``waited`` without a unit.
    held: (split, shard) of what is in memory now; None when that has not changed. images: evaluated, whose work
    amounts to so many ``passes`` of the whole network. note: as in ``Counters``.
    """

    values: list[Any]
    seconds: float
    loading: float = 0.0
    loads: int = 0
    held: tuple[tuple[str, int], ...] | None = None
    images: int = 0
    waited: float = 0.0
    passes: float = 0.0
    note: str = ""


@dataclass
class Work:
    """What a run has cost so far, for ``summary.json``.

    bytes_to_workers: the parent, once a node, and all units with what they share.
    workers, nodes: the most there were at a time, and how many were ever given the parent.
    models_built, shards_loaded: how often a worker built the model, and read a shard; 0 where it was warm.
    repeated: units done again elsewhere because they were late.
    evaluations: children x shards that came back; images: evaluated for them, repeats included; passes: of the whole
    network, that the work for them amounts to. notes: what workers had to say, each once.
    seconds: of all workers by phase: ``build`` the model, ``load`` shards, ``evaluate``, ``wait`` for a unit.
    """

    units: int = 0
    bytes_to_workers: int = 0
    parent_bytes: int = 0
    nodes: int = 0
    retries: int = 0
    repeated: int = 0
    workers: int = 0
    models_built: int = 0
    shards_loaded: int = 0
    devices: list[str] = field(default_factory=list)
    evaluations: int = 0
    images: int = 0
    passes: float = 0.0
    notes: list[str] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)

    def count(self, report: Report, fresh: bool) -> None:
        """Adds a unit's report; one that is not ``fresh`` came from a second worker."""
        self.shards_loaded += report.loads
        self.images += report.images
        self.passes += report.passes
        if report.note and report.note not in self.notes:
            self.notes.append(report.note)
        self.evaluations += len(report.values) if fresh else 0
        self.spend("load", report.loading)
        self.spend("evaluate", report.seconds - report.loading)
        self.spend("wait", report.waited)

    def spend(self, phase: str, seconds: float) -> None:
        self.seconds[phase] = self.seconds.get(phase, 0.0) + seconds


class Backend(Protocol):
    """Opened for a source, then given one job after another.

    It may be opened again, for another run: workers that have built the same source keep it, and the shards they hold.
    ``work`` counts from the last opening; ``note`` is told what a user should know (a node that goes away),
    ``on_workers`` how many workers are in each state (ready, starting, leaving), whenever that changes.
    """

    note: Callable[[str], None]
    on_workers: Callable[[Mapping[str, int]], None]

    @property
    def work(self) -> Work: ...

    def has_gpu(self) -> bool:
        """Whether a worker could have one."""
        ...

    def open(self, source: Source, bulk: Bulk) -> None:
        """Starts workers and has each build the source. The caller's ``bulk`` is not written to, and not kept."""
        ...

    def run(self, job: Job) -> Iterator[Outcome]:
        """Yields one Outcome for every (shard, item), as they finish."""
        ...

    def close(self) -> None:
        """Lets go of the workers; safe to call twice."""
        ...
