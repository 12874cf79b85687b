"""The driver's loop: keeps a fleet as large as the cluster allows, and its workers fed. Knows neither ray nor torch.

The driver owns the work: a unit whose worker is gone goes back to the scheduler, and a result that arrives twice
counts once. A worker on a node that is about to go away is given no more units. A worker that ran out of memory is
not replaced while others are left: they would run out of it, too.
"""

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from evoray.backends.base import Job, Outcome, Work
from evoray.backends.fleet import Cause, Event, Finished, Fleet, Lost, Ready
from evoray.backends.metrics import Meter, NoSink, Sink
from evoray.backends.scheduler import Assignment, Facts, Scheduler
from evoray.backends.wire import Encoder
from evoray.errors import BackendError

LOG = logging.getLogger("evoray")

TICK = 0.25
"""Seconds between two looks for late units."""

LOOK = 1.0
"""Seconds between two looks at the cluster: nodes that leave, room for more workers."""

PATIENCE = 30.0
"""Seconds without a first worker before the user is told what is waited for."""

MAX_RETRIES = 3
"""A worker that loses so many messages in a row is given up; so is loading, after so many deaths in a row."""


@dataclass
class ReadyWorker:
    """A worker that takes units.

    initialised: it has answered a unit of this job, so it knows what they share. retries: messages lost in a row.
    """

    node: str
    initialised: bool = False
    retries: int = 0
    held: tuple[tuple[str, int], ...] = ()
    facts: dict[str, Facts] = field(default_factory=dict)

    def facts_on(self, split: str) -> Facts:
        known = self.facts.get(split, Facts())
        return Facts({shard for name, shard in self.held if name == split}, known.seconds, known.loading, known.prices)


@dataclass
class _Round:
    """One job while it runs."""

    number: int
    job: Job
    scheduler: Scheduler
    encoder: Encoder
    idle: set[int]
    """Workers that may have room for a unit: to be looked at."""
    repeats: bool = False


class Driver:
    """Use ``enlist`` when a source has changed, then ``run`` for each job.

    Args:
        wanted: workers to keep, or None for as many as there is room for.
        note: told what a user should know. on_workers: how many are in each state, whenever that changes.
        sink: where metrics go.
    """

    def __init__(
        self,
        fleet: Fleet,
        wanted: int | None,
        note: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
        sink: Sink | None = None,
        on_workers: Callable[[Mapping[str, int]], None] = lambda states: None,
    ) -> None:
        self._fleet, self._wanted, self._note, self._clock = fleet, wanted, note, clock
        self._on_workers = on_workers
        self._states: dict[str, int] = {}
        self._sink = sink or NoSink()
        self._meter = Meter(self._sink, "")
        self.work = Work()
        self._starting: dict[int, int] = {}
        """Workers that are to load the source, and how often the message about it was lost."""
        self._ready: dict[int, ReadyWorker] = {}
        self._retired: set[int] = set()
        self._nodes: set[str] = set()
        self._fewer = 0
        self._deaths = 0
        self._numbers = 0
        self._jobs = 0
        self._alone_since: float | None = None
        self._alone_said = False
        self._looked = -float("inf")
        self._ticked = -float("inf")

    def enlist(self, work: Work, *, fresh: bool, resend: bool) -> None:
        """Starts a run: counts into ``work`` from now on; ``fresh`` when workers must load another source, those that
        are still loading the last one among them, ``resend`` when its large part is one that no node has seen."""
        self.work = work
        self._meter = Meter(self._sink, "")
        if resend:
            self._nodes.clear()
        if fresh:
            for worker in [*self._starting, *(self._ready.keys() - self._retired)]:
                self._starting[worker] = 0
                self._fleet.load(worker)
                self._ready.pop(worker, None)
        self.work.workers = len(self._ready)
        self._fewer, self._states = 0, {}
        self._grow(busy=True)

    def dismiss(self) -> None:
        """Ends all workers, those asked for included."""
        for worker in (*self._starting, *self._ready):
            self._fleet.stop(worker)
        self._starting.clear()
        self._ready.clear()
        self._retired.clear()

    def run(self, job: Job) -> Iterator[Outcome]:
        """Yields one Outcome for every (shard, item), as they finish."""
        scheduler = Scheduler(job.work, target_seconds=job.target_seconds, groups=job.groups)
        if scheduler.finished:
            return
        now = self._begin(job, scheduler)
        try:
            while not scheduler.finished:
                self._look(now)
                self._feed(now)
                for event in sorted(self._fleet.wait(TICK), key=_failures_last):
                    yield from self._handle(event, now)
        finally:
            self._end(now)

    def _begin(self, job: Job, scheduler: Scheduler) -> _Round:
        self._jobs += 1
        self._meter.run = job.run
        shard = next(shard for shard, items in job.work.items() if len(items))
        specimen = job.unit(shard, tuple(job.work[shard][:2]))
        for worker, ready in self._ready.items():
            ready.initialised = False
            if worker not in self._retired:
                scheduler.join(worker, ready.facts_on(job.split))
        idle = self._ready.keys() - self._retired
        return _Round(self._jobs, job, scheduler, Encoder(job.shared, specimen, job.run), idle)

    def _end(self, now: _Round) -> None:
        self._fleet.forget()
        self._export(now.scheduler)
        for worker in self._ready.keys() - self._retired:
            self._ready[worker].facts[now.job.split] = now.scheduler.facts(worker)
        for worker in list(self._retired):
            self._let_go(worker)

    def _export(self, scheduler: Scheduler) -> None:
        states = {
            "ready": len(self._ready) - len(self._retired),
            "starting": len(self._starting),
            "leaving": len(self._retired),
        }
        if states != self._states:
            self._states = states
            self._on_workers(states)
        self._meter.look(self.work, scheduler.waiting, states)

    def _feed(self, now: _Round) -> None:
        clock = self._clock()
        if clock - self._ticked > TICK:
            now.idle |= self._ready.keys() - self._retired
            self._ticked = clock
        for worker in sorted(now.idle):
            while (unit := now.scheduler.take(worker, clock)) is not None:
                self._send(now, worker, unit)
        now.idle.clear()

    def _send(self, now: _Round, worker: int, unit: Assignment) -> None:
        payload = now.encoder.encode(now.job.unit(unit.shard, unit.items))
        preamble = None if self._ready[worker].initialised else now.encoder.preamble
        self._fleet.send(worker, now.number, unit.number, preamble, payload)
        self.work.units += 1
        self.work.bytes_to_workers += len(payload) + len(preamble or b"")
        if unit.again is not None:
            self.work.repeated += 1
            now.repeats = True
            if now.scheduler.is_queued(unit.again):
                self._fleet.cancel(unit.again)

    def _handle(self, event: Event, now: _Round) -> Iterator[Outcome]:
        if isinstance(event, Ready):
            if self._welcome(event):
                now.scheduler.join(event.worker, self._ready[event.worker].facts_on(now.job.split))
                now.idle.add(event.worker)
        elif isinstance(event, Finished):
            yield from self._finished(event, now)
        elif event.unit is None:
            self._died_loading(event)
        elif event.worker in self._ready:
            yield from self._lost(event, event.unit, now)

    def _welcome(self, event: Ready) -> bool:
        """False for a worker that is in already, or was taken back."""
        if event.worker not in self._starting:
            return False
        del self._starting[event.worker]
        self._ready[event.worker] = ReadyWorker(event.loaded.node)
        self._deaths = 0
        self.work.models_built += event.loaded.built
        self.work.spend("build", event.loaded.seconds)
        self.work.workers = max(self.work.workers, len(self._ready) - len(self._retired))
        if event.loaded.node not in self._nodes:
            self._nodes.add(event.loaded.node)
            self.work.nodes += 1
            self.work.bytes_to_workers += self.work.parent_bytes
        if event.loaded.device and event.loaded.device not in self.work.devices:
            self.work.devices.append(event.loaded.device)
            if len(self.work.devices) > 1:
                self._note(
                    f"workers compute on unlike devices ({', '.join(self.work.devices)}): last bits of the result "
                    "depend on who does what. Set compute.accelerator to one kind for a result that repeats."
                )
        self._alone_since = None
        if self._alone_said:
            self._note("the cluster gave a worker: going on")
            self._alone_said = False
        return True

    def _finished(self, event: Finished, now: _Round) -> Iterator[Outcome]:
        ready = self._ready.get(event.worker)
        if ready is None:
            return
        report, scheduler = event.report, now.scheduler
        ready.initialised, ready.retries = True, 0
        ready.held = ready.held if report.held is None else report.held
        held = None if report.held is None else [shard for split, shard in report.held if split == now.job.split]
        unit = scheduler.unit(event.unit)
        fresh = scheduler.done(event.unit, self._clock(), report.seconds, report.loading, held)
        self.work.count(report, fresh)
        now.idle.add(event.worker)
        if event.worker in self._retired and not scheduler.running(event.worker):
            now.idle.discard(event.worker)
            scheduler.leave(event.worker)
            self._let_go(event.worker)
        if fresh and unit is not None:
            if now.repeats:
                for number in scheduler.superseded():
                    self._fleet.cancel(number)
            for item, value in zip(unit.items, report.values, strict=True):
                yield Outcome(unit.shard, item, value)

    def _lost(self, event: Lost, unit: int, now: _Round) -> Iterator[Outcome]:
        if event.cause is Cause.CANCELLED:
            now.scheduler.lost(unit)
            now.idle.add(event.worker)
            return
        self.work.retries += 1
        LOG.warning("unit lost: %s: %s", event.cause.value, event.reason, extra={"worker": event.worker})
        if event.cause is Cause.MESSAGE:
            ready = self._ready[event.worker]
            ready.initialised, ready.retries = False, ready.retries + 1
            now.scheduler.lost(unit)
            now.idle |= self._ready.keys() - self._retired
            if ready.retries < MAX_RETRIES:
                return
        given_up = now.scheduler.leave(event.worker, at_fault=event.cause in (Cause.PROCESS, Cause.MEMORY))
        self._let_go(event.worker)
        if event.cause is Cause.MEMORY:
            self._do_with_fewer(event.cause)
        now.idle = self._ready.keys() - self._retired
        self._looked = -float("inf")
        for shard, item in given_up:
            yield Outcome(
                shard, item, failure=f"given up, its worker died each time: {event.reason or event.cause.value}"
            )

    def _died_loading(self, event: Lost) -> None:
        self.work.retries += 1
        retries = self._starting.pop(event.worker, MAX_RETRIES) + 1
        if event.cause is Cause.MESSAGE and retries < MAX_RETRIES:
            self._starting[event.worker] = retries
            self._fleet.load(event.worker)
            return
        self._fleet.stop(event.worker)
        self._looked = -float("inf")
        if event.cause is Cause.NODE:
            return
        self._deaths += 1
        if self._deaths >= MAX_RETRIES and not self._ready:
            raise BackendError(
                f"{self._deaths} workers in a row died while they loaded the parent ({event.cause.value}: "
                f"{event.reason}). Give them more memory, or lower compute.workers; then go on with resume=True."
            )
        if self._deaths >= MAX_RETRIES or event.cause is Cause.MEMORY:
            self._do_with_fewer(event.cause)

    def _do_with_fewer(self, cause: Cause) -> None:
        """Keeps one worker less from now on, and takes back what was asked for: it would start in the same place."""
        self._fewer += 1
        for worker in self._starting:
            self._fleet.stop(worker)
        self._starting.clear()
        self._note(f"a worker is not replaced ({cause.value}); {len(self._ready) - len(self._retired)} go on")

    def _let_go(self, worker: int) -> None:
        self._fleet.stop(worker)
        self._ready.pop(worker, None)
        self._retired.discard(worker)

    def _look(self, now: _Round) -> None:
        clock = self._clock()
        if clock - self._looked < LOOK:
            return
        self._looked = clock
        self._export(now.scheduler)
        for worker in self._fleet.leaving() & (self._ready.keys() - self._retired):
            self._retire(worker, now)
        self._grow(busy=now.scheduler.waiting > 0)
        self._say_if_alone(clock)

    def _say_if_alone(self, clock: float) -> None:
        if self._ready or self._alone_said:
            return
        self._alone_since = clock if self._alone_since is None else self._alone_since
        if self.work.workers:
            self._note("no worker is left: waiting for the cluster to give new ones")
        elif clock - self._alone_since > PATIENCE:
            self._note("still waiting for the cluster to give a first worker: it may be busy with other work")
        else:
            return
        self._alone_said = True

    def _retire(self, worker: int, now: _Round) -> None:
        self._note(f"node {self._ready[worker].node[:8]} is about to go away: its workers get nothing new")
        now.idle.discard(worker)
        now.scheduler.retire(worker)
        self._retired.add(worker)
        if not now.scheduler.running(worker):
            now.scheduler.leave(worker)
            self._let_go(worker)

    def _grow(self, *, busy: bool) -> None:
        """Asks for what is missing; pending workers are the demand that an autoscaler sees."""
        target = self._wanted
        if target is None:
            fits, more = self._fleet.room()
            target = fits + (more if busy and not self._fewer else 0)
        target = max(1, target - self._fewer)
        while len(self._starting) + len(self._ready) - len(self._retired) < target:
            self._numbers += 1
            self._starting[self._numbers] = 0
            self._fleet.start(self._numbers)


def _failures_last(event: Event) -> bool:
    """A worker's last results count before its death is laid to what it worked on."""
    return isinstance(event, Lost)
