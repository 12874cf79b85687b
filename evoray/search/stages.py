"""The one loop over evaluations: take what the journal knows, evaluate what is left, journal it, count it.

A stage is some items (children, a soup, a panel of networks) on some shards. Whoever asks for one gives it a typed key,
and is handed results as they come, recorded ones first. An item whose workers die again and again is given up, unless
the run cannot go on without it; a resumed run does not meet it again.
"""

import enum
import logging
import time
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, NamedTuple, TypeVar

import numpy as np

from evoray.backends import Job, Unit
from evoray.errors import RunError
from evoray.evaluation.evaluator import of_guard
from evoray.evaluation.units.guarded import OnGuard
from evoray.runtime.events import ChildGivenUp, StageProgress, StageStarted
from evoray.search.session import Session
from evoray.storage.directory import pack_arrays, unpack_arrays

LOG = logging.getLogger("evoray")
GIVEN_UP = "given up, its worker died each time"
"""The status of a candidate that kills its workers, whatever Ray said of each: a run's answer holds no process ids."""

V = TypeVar("V")


class Part(enum.StrEnum):
    """What a stage is a part of: the kinds of work whose seconds ``summary.json`` adds up."""

    SIGMA = "auto"
    WINDOW = "window"
    PARENT = "parent"
    CHILDREN = "child"
    SOUPS = "soup"
    MEMBERS = "ensemble/candidates"
    BATCHNORM = "soup/recalibrate"
    FINAL_SELECT = "panel/select"
    FINAL_TEST = "panel/test"
    SAMPLE = "sample/test"
    GUARD = "guard"


@dataclass(frozen=True)
class StageKey:
    """Under which name a stage's results are journalled (no two stages of a run share one), and what it is part of."""

    name: str
    part: Part

    @property
    def given_up(self) -> str:
        """The journal's name for its items that were given up; no stage has it."""
        return f"{self.name}/given-up"


class Codec(NamedTuple, Generic[V]):
    """A result as bytes of the journal, and back."""

    pack: Callable[[V], bytes]
    unpack: Callable[[bytes], V]


ROW: Codec[np.ndarray] = Codec(lambda row: row.tobytes(), lambda payload: np.frombuffer(payload))
"""One float64 vector."""
ARRAYS: Codec[dict[str, np.ndarray]] = Codec(pack_arrays, unpack_arrays)
"""Named arrays."""


@dataclass(frozen=True)
class Stage(Generic[V]):
    """Items to evaluate on shards.

    items: their names, unique. images: evaluated for one item, by shard; its keys are the shards, in order.
    unit: of some items (numbers into ``items``) on one shard. shared: objects that all units refer to.
    split: of the shards; held: under which name workers hold what they have read, the split's unless given.
    wanted: numbers of the items to evaluate, all unless given. required: those without which the run cannot go on.
    accept: whether a recorded result can be used, always unless given.
    groups: of each item, what its units have in common with others (``Job.groups``).
    """

    key: StageKey
    items: Sequence[str]
    images: Mapping[int, int]
    unit: Callable[[int, tuple[int, ...]], Unit]
    codec: Codec[V]
    split: str = "select"
    shared: tuple[Any, ...] = ()
    held: str | None = None
    wanted: Sequence[int] | None = None
    required: frozenset[int] = frozenset()
    accept: Callable[[int, V], bool] | None = None
    groups: Sequence[Hashable] | None = None


class Result(NamedTuple, Generic[V]):
    """An item's result on a shard; value None and a reason where the item is given up, on all shards."""

    item: int
    shard: int
    value: V | None
    reason: str = ""
    fresh: bool = False


def run_stage(session: Session, stage: Stage[V]) -> Iterator[Result[V]]:
    """Results of every wanted item on every shard, in any order; a given-up item comes once.

    Raises:
        RunError: a required item was given up; a resumed run tries it again.
    """
    stage = stage if not session.guard else _on_guard(session.guard, stage)
    left, known = _Left(stage), 0
    for result in _recorded(session, stage):
        known += 1
        left.done(result)
        yield result
    groups = dict(enumerate(stage.groups)) if stage.groups is not None else None
    job = Job(left.work(), stage.unit, stage.shared, stage.held or stage.split, run=session.run_id, groups=groups)
    emit, started = session.observers.emit, time.perf_counter()
    emit(_started(session, stage, job.work, known))
    for outcome in session.backend.run(job):
        emit(StageProgress(1))
        if outcome.failure is not None:
            if left.give_up(outcome.item):
                _give_up(session, stage, outcome.item, outcome.shard, outcome.failure)
                yield Result(outcome.item, outcome.shard, None, f"shard {outcome.shard}: {outcome.failure}", True)
            continue
        session.tally.images += stage.images[outcome.shard]
        key = (stage.key.name, stage.items[outcome.item], outcome.shard)
        session.journal.add(key, stage.codec.pack(outcome.value))
        yield Result(outcome.item, outcome.shard, outcome.value, fresh=True)
    for note in session.backend.work.notes[len(session.tally.notes) :]:
        session.tally.notes.append(note)
        session.observers.note(note)
    seconds = session.tally.seconds
    seconds[stage.key.part] = seconds.get(stage.key.part, 0.0) + time.perf_counter() - started


def _started(session: Session, stage: Stage[Any], work: Mapping[int, Sequence[int]], known: int) -> StageStarted:
    return StageStarted(
        stage.key.name,
        stage.key.part,
        total=sum(map(len, work.values())),
        known=known,
        shards=len(stage.images),
        images=sum(len(items) * stage.images[shard] for shard, items in work.items()),
        counted=session.splits.counted,
    )


def run_whole(session: Session, stage: Stage[V]) -> dict[int, V]:
    """The results of a stage of one item, by shard; the run cannot go on without it."""
    found: dict[int, V] = {}
    for result in run_stage(session, replace(stage, required=frozenset([0]))):
        assert result.value is not None, "it is required"
        found[result.shard] = result.value
    return found


def _on_guard(guard: str, stage: Stage[V]) -> Stage[V]:
    """The stage with units on the guard's data, under names of its own in the journal and in what workers hold."""
    return replace(
        stage,
        key=StageKey(of_guard(guard, stage.key.name), Part.GUARD),
        unit=lambda shard, items: OnGuard(guard, stage.unit(shard, items)),
        held=of_guard(guard, stage.held or stage.split),
    )


def _recorded(session: Session, stage: Stage[V]) -> Iterator[Result[V]]:
    """What the journal knows; items of another run of the stage (a window of other sigmas) are passed over."""
    number = {name: at for at, name in enumerate(stage.items)}
    for name, shard, payload in session.known.take(stage.key.name):
        if name in number and shard in stage.images:
            value = stage.codec.unpack(payload)
            if stage.accept is None or stage.accept(shard, value):
                yield Result(number[name], shard, value)
    for name, shard, reason in session.known.take(stage.key.given_up):
        if name in number:
            yield Result(number[name], shard, None, f"shard {shard}: {reason.decode()}")


def _give_up(session: Session, stage: Stage[V], item: int, shard: int, reason: str) -> None:
    """An item killed every worker that met it: kept, so that no resumed run loses workers to it again."""
    name = stage.items[item]
    if item in stage.required:
        raise RunError(
            f"the {name} on shard {shard} of {stage.split}: {reason}. Give workers more memory, or look at the model "
            "and the fitness function; then go on with resume=True."
        )
    session.journal.add((stage.key.given_up, name, shard), reason.encode())
    session.journal.flush()
    LOG.error("child given up", extra={"child": name, "shard": shard, "reason": reason})
    session.observers.emit(ChildGivenUp(name, shard, reason))


class _Left:
    """Which items are still to be evaluated on which shard."""

    def __init__(self, stage: Stage[Any]) -> None:
        self._column = {shard: at for at, shard in enumerate(stage.images)}
        self._open = np.zeros((len(stage.items), len(self._column)), dtype=bool)
        self._open[slice(None) if stage.wanted is None else list(stage.wanted)] = True
        self._wanted = list(range(len(stage.items)) if stage.wanted is None else stage.wanted)
        self._place: Callable[[int], Any] | None = None
        if stage.groups is not None:  # what is alike is done together; which first does not matter
            first: dict[Hashable, int] = {}
            places = [first.setdefault(group, number) for number, group in enumerate(stage.groups)]
            self._place = places.__getitem__
            self._wanted.sort(key=self._place)
        self._given_up: set[int] = set()

    def done(self, result: Result[Any]) -> None:
        if result.value is None:
            self.give_up(result.item)
        else:
            self._open[result.item, self._column[result.shard]] = False

    def give_up(self, item: int) -> bool:
        """False for an item that was given up before, on another shard."""
        fresh = item not in self._given_up
        self._given_up.add(item)
        self._open[item] = False
        return fresh

    def work(self) -> dict[int, list[int]]:
        """Numbers of items by shard; one list for all shards while nothing is known: it is not made for each."""
        return {
            shard: self._wanted if self._open[self._wanted, at].all() else self._open_on(at)
            for shard, at in self._column.items()
        }

    def _open_on(self, at: int) -> list[int]:
        found: list[int] = np.flatnonzero(self._open[:, at]).tolist()
        return found if self._place is None else sorted(found, key=self._place)
