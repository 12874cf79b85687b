"""The driver on a simulated cluster: workers run in this process, on a clock of the test's own, and fail as told."""

from __future__ import annotations

import itertools
import pickle
from collections import Counter
from contextlib import nullcontext
from dataclasses import dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evoray.backends.base import Job, Work, WorkerState
from evoray.backends.driver import PATIENCE, Driver
from evoray.backends.fleet import Cause, Finished, Lost, Ready
from evoray.backends.worker import NotInitialisedError, Worker
from evoray.errors import BackendError


@dataclass(frozen=True)
class Squares(WorkerState):
    """A source that builds itself."""

    offset: int = 0
    device, threads, settings = "none", None, nullcontext

    @property
    def key(self):
        return f"squares + {self.offset}"

    def build(self, bulk):
        return self


@dataclass(frozen=True)
class SquareUnit:
    shard: int
    items: tuple[int, ...]

    def run(self, squares):
        return [squares.offset + self.shard * 1000 + item * item for item in self.items]


class SimulatedFleet:
    """Every event takes one second. ``failures`` maps (kind, n-th of it) to a cause; kinds are load and run."""

    def __init__(self, room=2, failures=None, poison=None):
        self.now, self.fits, self.more = 0.0, room, 0
        self.failures, self.poison = failures or {}, poison
        self.seen = Counter()
        self.workers, self.queue, self.asked, self.drained = {}, [], [], set()
        self.source = Squares()
        self.on_wait = lambda fleet: None

    def clock(self):
        return self.now

    def start(self, worker):
        self.asked.append(worker)
        self.queue.append(("start", worker, self.source))

    def load(self, worker):
        for place, (kind, whose, _) in enumerate(self.queue):
            if whose == worker and kind in ("start", "load"):  # what it was told before is forgotten
                self.queue[place] = (kind, worker, self.source)
                return
        self.queue.append(("load", worker, self.source))

    def send(self, worker, job, unit, preamble, payload):
        self.queue.append(("run", worker, (job, unit, preamble, payload)))

    def cancel(self, unit):
        for call in self.queue:
            if call[0] == "run" and call[2][1] == unit:
                self.queue[self.queue.index(call)] = ("cancelled", call[1], call[2])

    def forget(self):
        self.queue = [call for call in self.queue if call[0] in ("start", "load")]

    def stop(self, worker):
        self.workers.pop(worker, None)
        self.queue = [call for call in self.queue if call[1] != worker]

    def leaving(self):
        return self.drained & self.workers.keys()

    def room(self):
        return self.fits, self.more

    def wait(self, seconds):
        self.now += 1.0
        self.on_wait(self)
        for call in self.queue:
            if call[0] != "start" or len(self.workers) < self.fits:
                self.queue.remove(call)
                return [event for event in [self._step(*call)] if event]
        return []

    def _step(self, kind, worker, call):
        if kind == "cancelled":
            return Lost(worker, call[1], Cause.CANCELLED)
        kind = "load" if kind == "start" else kind
        self.seen[kind] += 1
        cause = self.failures.get((kind, self.seen[kind]))
        if cause is not None:
            return Lost(worker, None if kind == "load" else call[1], cause, "as told")
        if kind == "load":
            body = self.workers.setdefault(worker, Worker(lambda bulk: bulk))
            return Ready(worker, body.load(call.key, [], pickle.dumps(call), None))
        job, unit, preamble, payload = call
        if self.poison and any(item == self.poison for item in self._items(worker, preamble, payload)):
            return Lost(worker, unit, Cause.PROCESS, "poisoned")
        try:
            report = self.workers[worker].run(job, preamble, payload)
            return Finished(worker, unit, replace(report, seconds=0.4 * len(report.values)))
        except NotInitialisedError:
            return Lost(worker, unit, Cause.MESSAGE)

    def _items(self, worker, preamble, payload):
        from evoray.backends.wire import Decoder

        self.preamble = preamble or self.preamble
        return Decoder(self.preamble).decode(payload).items


def drive(fleet, work, notes=None, wanted=None):
    driver = Driver(fleet, wanted, (notes if notes is not None else []).append, fleet.clock)
    driver.enlist(Work(), fresh=False, resend=True)
    return driver, list(driver.run(Job(work, SquareUnit)))


def right(work):
    return {(shard, item): shard * 1000 + item * item for shard, items in work.items() for item in items}


def values(outcomes):
    assert max(Counter((one.shard, one.item) for one in outcomes).values()) == 1
    return {(one.shard, one.item): one.value for one in outcomes if one.failure is None}


WORK = {0: range(9), 1: range(9)}
CAUSES = st.sampled_from([Cause.PROCESS, Cause.NODE, Cause.MESSAGE, Cause.MEMORY])


@given(
    st.integers(1, 4),
    st.dictionaries(st.tuples(st.just("run"), st.integers(1, 12)), CAUSES, max_size=5),
    st.dictionaries(
        st.tuples(st.just("load"), st.integers(1, 6)), st.sampled_from([Cause.NODE, Cause.MESSAGE]), max_size=3
    ),
)
def test_whatever_fails_every_value_arrives_once(room, losses, loads):
    _, outcomes = drive(SimulatedFleet(room, losses | loads), WORK)
    found = values(outcomes)
    failed = {(one.shard, one.item) for one in outcomes if one.failure}
    assert found.keys() | failed == right(WORK).keys()
    assert all(right(WORK)[key] == value for key, value in found.items())


def test_a_child_that_kills_its_worker_is_given_up_and_the_run_goes_on():
    """On all shards once it is on one: at most one worker was on another shard of it when the third died."""
    work = {shard: range(9) for shard in range(6)}
    driver, outcomes = drive(SimulatedFleet(2, poison=5), work)
    failed = {(one.shard, one.item): one.failure for one in outcomes if one.failure}
    assert failed.keys() == {(shard, 5) for shard in work}
    assert all("died" in reason and "poisoned" in reason for reason in failed.values())
    assert len(values(outcomes)) == 6 * 8
    assert 3 <= driver.work.retries <= 6


def test_all_gone_is_said_and_waited_for():
    notes, fleet = [], SimulatedFleet(2, {("run", 3): Cause.NODE, ("run", 4): Cause.NODE})

    def outage(fleet):
        fleet.fits = 0 if 6 < fleet.now < 40 else 2

    fleet.on_wait = outage
    _, outcomes = drive(fleet, WORK, notes)
    assert values(outcomes) == right(WORK)
    assert [note for note in notes if "no worker is left" in note]
    assert [note for note in notes if "going on" in note]


def test_a_busy_cluster_is_said():
    notes, fleet = [], SimulatedFleet(1)
    fleet.on_wait = lambda fleet: setattr(fleet, "fits", int(fleet.now > PATIENCE + 5))
    _, outcomes = drive(fleet, WORK, notes)
    assert values(outcomes) == right(WORK)
    assert "still waiting" in notes[0]


def test_more_are_asked_for_than_fit_and_newcomers_work():
    fleet = SimulatedFleet(1)
    fleet.more = 2
    fleet.on_wait = lambda fleet: setattr(fleet, "fits", 3 if fleet.now > 4 else 1)
    driver, outcomes = drive(fleet, {0: range(60)})
    assert values(outcomes) == right({0: range(60)})
    assert len(fleet.asked) >= 3
    assert driver.work.workers == 3


def test_a_drained_node_gets_nothing_new_and_is_replaced():
    notes, fleet, sent = [], SimulatedFleet(2), []
    send = fleet.send
    fleet.send = lambda worker, *call: (sent.append((fleet.now, worker)), send(worker, *call))
    fleet.on_wait = lambda fleet: fleet.drained.update({1} if fleet.now > 5 else set())
    _, outcomes = drive(fleet, {0: range(80), 1: range(80)}, notes)
    assert values(outcomes) == right({0: range(80), 1: range(80)})
    assert max(at for at, worker in sent if worker == 1) <= 8
    assert max(worker for _, worker in sent) > 2
    assert [note for note in notes if "about to go away" in note]


def test_loading_that_always_dies_is_an_error_that_says_so():
    fleet = SimulatedFleet(2, {("load", number): Cause.PROCESS for number in range(1, 9)})
    with pytest.raises(BackendError, match="3 workers in a row died while they loaded the parent"):
        drive(fleet, WORK)


def test_a_lost_message_about_loading_is_sent_again():
    """Twice for each of two workers, and none is laid to the parent."""
    fleet = SimulatedFleet(2, {("load", number): Cause.MESSAGE for number in range(1, 5)})
    driver, outcomes = drive(fleet, WORK)
    assert values(outcomes) == right(WORK)
    assert len(fleet.asked) == 2
    assert driver.work.retries == 4


def test_a_worker_that_hears_nothing_is_replaced():
    fleet = SimulatedFleet(1, {("load", number): Cause.MESSAGE for number in range(1, 4)})
    _, outcomes = drive(fleet, WORK)
    assert values(outcomes) == right(WORK)
    assert len(fleet.asked) == 2


def test_a_worker_that_ran_out_of_memory_is_not_replaced():
    notes, fleet = [], SimulatedFleet(3, {("run", 7): Cause.MEMORY})
    _, outcomes = drive(fleet, WORK, notes)
    assert values(outcomes) == right(WORK)
    assert len(fleet.asked) == 3
    assert "not replaced (it ran out of memory); 2 go on" in notes[0]


def test_a_second_run_finds_its_workers_warm():
    fleet = SimulatedFleet(2)
    driver, outcomes = drive(fleet, WORK)
    assert driver.work.models_built == 2
    driver.enlist(Work(), fresh=False, resend=False)
    assert values(list(driver.run(Job(WORK, SquareUnit)))) == values(outcomes)
    assert driver.work.models_built == 0
    fleet.source = Squares(7)
    driver.enlist(Work(), fresh=True, resend=False)
    again = values(list(driver.run(Job(WORK, SquareUnit))))
    assert again == {key: value + 7 for key, value in right(WORK).items()}
    assert driver.work.models_built == 2


def test_a_lost_preamble_is_sent_again():
    fleet = SimulatedFleet(1, {("run", 1): Cause.MESSAGE})
    _, outcomes = drive(fleet, WORK)
    assert values(outcomes) == right(WORK)


def test_whoever_asks_is_told_how_many_workers_there_are_whenever_that_changes():
    fleet, told = SimulatedFleet(2, {("run", 3): Cause.NODE}), []
    driver = Driver(fleet, None, lambda text: None, fleet.clock, on_workers=told.append)
    driver.enlist(Work(), fresh=False, resend=True)
    list(driver.run(Job(WORK, SquareUnit)))
    assert told[0] == {"ready": 0, "starting": 2, "leaving": 0}
    assert {"ready": 2, "starting": 0, "leaving": 0} in told
    assert any(states["ready"] + states["starting"] < 2 or states["starting"] for states in told[1:]), "one went away"
    assert all(before != after for before, after in itertools.pairwise(told))


def test_a_worker_that_still_starts_loads_what_the_next_run_needs():
    """Else it answers the next run's units with the last run's source."""
    fleet = SimulatedFleet(1)
    driver = Driver(fleet, 2, [].append, fleet.clock)
    driver.enlist(Work(), fresh=False, resend=True)
    assert values(list(driver.run(Job({0: range(2)}, SquareUnit)))) == right({0: range(2)})
    fleet.fits, fleet.source = 2, Squares(7)
    driver.enlist(Work(), fresh=True, resend=False)
    found = values(list(driver.run(Job(WORK, SquareUnit))))
    assert driver.work.workers == 2
    assert found == {key: value + 7 for key, value in right(WORK).items()}
