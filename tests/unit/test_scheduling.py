"""The scheduler alone, driven by a simulated clock: every item is done once, whatever happens to workers."""

from __future__ import annotations

import heapq
import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evoray.scheduling import Scheduler


def simulate(work, speeds, deaths=(), seed=0):
    """Runs the schedule; ``deaths`` are (time, worker). Returns finished pairs, makespan, and the scheduler."""
    scheduler, rng = Scheduler(work), random.Random(seed)
    events: list[tuple[float, int, str, object]] = [(at, i, "death", w) for i, (at, w) in enumerate(deaths)]
    heapq.heapify(events)
    alive, done, ticket = set(speeds), Counter(), len(deaths)
    idle = set()
    for worker in speeds:
        scheduler.join(worker)

    def feed(worker, now):
        nonlocal ticket
        unit = scheduler.take(worker)
        if unit is None:
            idle.add(worker)
            return
        idle.discard(worker)
        took = sum(speeds[worker] * rng.uniform(0.9, 1.1) for _ in unit.items)
        ticket += 1
        heapq.heappush(events, (now + took, ticket, "done", (unit, took)))

    for worker in speeds:
        feed(worker, 0.0)
    now = 0.0
    while events and not scheduler.finished:
        now, _, kind, payload = heapq.heappop(events)
        if kind == "death":
            alive.discard(payload)
            idle.discard(payload)
            scheduler.leave(payload)
        else:
            unit, took = payload
            if unit.worker in alive and scheduler.done(unit.number, took):
                done.update((unit.shard, item) for item in unit.items)
                idle.add(unit.worker)
        for worker in sorted(idle & alive):
            feed(worker, now)
    return done, now, scheduler


@given(
    st.dictionaries(st.integers(0, 9), st.integers(0, 30), min_size=1, max_size=6),
    st.lists(st.floats(0.01, 2.0), min_size=1, max_size=5),
    st.integers(0, 1000),
)
def test_every_item_is_done_exactly_once(sizes, speeds, seed):
    work = {shard: range(count) for shard, count in sizes.items()}
    done, _, scheduler = simulate(work, dict(enumerate(speeds)), seed=seed)
    assert scheduler.finished
    assert done == Counter((shard, item) for shard, items in work.items() for item in items)


@given(st.floats(0.0, 20.0), st.integers(0, 100))
def test_a_death_loses_nothing(moment, seed):
    work = {shard: range(12) for shard in range(4)}
    done, _, scheduler = simulate(work, {0: 0.5, 1: 0.7, 2: 0.6}, deaths=[(moment, 1)], seed=seed)
    assert scheduler.finished
    assert sum(done.values()) == 48
    assert max(done.values()) == 1


def test_unequal_workers_finish_together():
    speeds = {0: 0.1, 1: 0.1, 2: 0.4}
    _, makespan, _ = simulate({shard: range(100) for shard in range(4)}, speeds)
    ideal = 400 / sum(1 / speed for speed in speeds.values())
    assert makespan < 1.1 * ideal


def test_a_worker_keeps_to_the_shard_it_holds():
    scheduler = Scheduler({0: range(50), 1: range(50)})
    for worker in "ab":
        scheduler.join(worker)
    first = {worker: scheduler.take(worker) for worker in "ab"}
    assert {unit.shard for unit in first.values()} == {0, 1}
    for worker in "ab":
        for _ in range(5):
            assert scheduler.take(worker).shard == first[worker].shard


def test_chunks_grow_to_the_target_and_leave_some_for_others():
    scheduler = Scheduler({0: range(1000)}, target_seconds=1.0)
    scheduler.join("a")
    unit = scheduler.take("a")
    assert len(unit.items) == 1
    scheduler.done(unit.number, 0.01)
    assert len(scheduler.take("a").items) == 100


def test_an_item_that_fails_three_times_is_given_up_and_goes_alone():
    scheduler = Scheduler({0: [7, 8]}, max_attempts=3)
    given_up = []
    for worker in range(4):
        scheduler.join(worker)
        unit = scheduler.take(worker)
        if unit.items == (7,):
            given_up += scheduler.leave(worker)
        else:
            scheduler.done(unit.number, 1.0)
    assert given_up == [(0, 7)]
    assert scheduler.retries == 3


def test_a_late_duplicate_counts_once():
    scheduler = Scheduler({0: [1]})
    scheduler.join("a")
    unit = scheduler.take("a")
    assert scheduler.done(unit.number, 1.0)
    assert not scheduler.done(unit.number, 1.0)


@pytest.mark.parametrize("empty", [{}, {0: []}])
def test_no_work_is_finished_at_once(empty):
    assert Scheduler(empty).finished
