"""The scheduler alone, driven by a simulated clock: every item is done once, whatever happens to workers."""

from __future__ import annotations

import heapq
import random
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from evoray.backends.scheduler import IN_FLIGHT, Facts, Scheduler


class Simulation:
    """Workers with a speed (seconds an item, give or take ``jitter``) and a time to read a shard, which they keep."""

    def __init__(self, work, speeds, loading=0.0, deaths=(), arrivals=(), seed=0, jitter=0.1):
        self.scheduler, self.random, self.jitter = Scheduler(work), random.Random(seed), jitter
        self.speeds, self.loading = dict(speeds), loading
        self.done, self.loads, self.units, self.now = Counter(), Counter(), [], 0.0
        self.queues = {}
        self.held = {}
        self.events = []
        for worker in speeds:
            self.join(worker)
        for at, worker in deaths:
            self.push(at, "death", worker)
        for at, worker, speed in arrivals:
            self.speeds[worker] = speed
            self.push(at, "arrival", worker)

    def push(self, at, kind, payload):
        heapq.heappush(self.events, (at, self.random.random(), kind, payload))

    def join(self, worker):
        self.scheduler.join(worker)
        self.queues[worker], self.held[worker] = [], set()

    def feed(self):
        for worker, queue in self.queues.items():
            while (unit := self.scheduler.take(worker, self.now)) is not None:
                queue.append(unit)
                assert len(queue) <= IN_FLIGHT
                if len(queue) == 1:
                    self.begin(worker)

    def begin(self, worker):
        unit = self.queues[worker][0]
        loading = 0.0 if unit.shard in self.held[worker] else self.loading
        self.held[worker].add(unit.shard)
        self.loads[unit.shard] += loading > 0
        spread = (1 - self.jitter, 1 + self.jitter)
        took = loading + sum(self.speeds[worker] * self.random.uniform(*spread) for _ in unit.items)
        self.push(self.now + took, "done", (worker, unit, took, loading))

    def run(self):
        self.feed()
        while self.events and not self.scheduler.finished:
            self.now, _, kind, payload = heapq.heappop(self.events)
            if kind == "death" and payload in self.queues:
                del self.queues[payload]
                self.scheduler.leave(payload, at_fault=False)
            elif kind == "arrival":
                self.join(payload)
            elif kind == "done":
                self.finish(*payload)
            self.feed()
        return self

    def finish(self, worker, unit, took, loading):
        if worker not in self.queues:
            return
        self.queues[worker].pop(0)
        self.units.append((unit, took))
        if self.scheduler.done(unit.number, self.now, took, loading):
            self.done.update((unit.shard, item) for item in unit.items)
        if self.queues[worker]:
            self.begin(worker)


def every(work):
    return Counter((shard, item) for shard, items in work.items() for item in items)


@given(
    st.dictionaries(st.integers(0, 9), st.integers(0, 30), min_size=1, max_size=6),
    st.lists(st.floats(0.01, 2.0), min_size=1, max_size=5),
    st.floats(0.0, 3.0),
    st.integers(0, 1000),
)
def test_every_item_is_done_exactly_once(sizes, speeds, loading, seed):
    work = {shard: range(count) for shard, count in sizes.items()}
    ended = Simulation(work, dict(enumerate(speeds)), loading, seed=seed).run()
    assert ended.scheduler.finished
    assert ended.done == every(work)


@given(
    st.lists(st.tuples(st.floats(0.0, 20.0), st.integers(0, 2)), max_size=3),
    st.lists(st.floats(0.0, 20.0), min_size=1, max_size=3),
    st.integers(0, 100),
)
def test_deaths_and_arrivals_lose_nothing(deaths, arrivals, seed):
    work = {shard: range(12) for shard in range(4)}
    newcomers = [(at, 10 + number, 0.4) for number, at in enumerate(arrivals)]
    ended = Simulation(work, {0: 0.5, 1: 0.7, 2: 0.6}, 0.5, deaths, newcomers, seed).run()
    assert ended.scheduler.finished
    assert ended.done == every(work)


class Anything(RuleBasedStateMachine):
    """Joining, leaving, draining, answering in any order, lost messages, repeats: in any order at all."""

    def __init__(self):
        super().__init__()
        self.work = {shard: range(7) for shard in range(3)}
        self.scheduler = Scheduler(self.work, max_attempts=3)
        self.settled, self.now, self.joined = Counter(), 0.0, 0
        self.alive, self.handed = {}, {}

    @rule(held=st.sets(st.integers(0, 2)))
    def join(self, held):
        self.joined += 1
        self.alive[self.joined] = False
        self.scheduler.join(self.joined, Facts(set(held)))

    @precondition(lambda self: self.alive)
    @rule(data=st.data(), wait=st.floats(0, 30))
    def take(self, data, wait):
        self.now += wait
        worker = data.draw(st.sampled_from(sorted(self.alive)))
        unit = self.scheduler.take(worker, self.now)
        if unit is not None:
            assert not self.alive[worker], "a retired worker was handed a unit"
            self.handed[unit.number] = unit
            assert len(self.scheduler.running(worker)) <= IN_FLIGHT

    @precondition(lambda self: self.handed)
    @rule(data=st.data(), seconds=st.floats(0.001, 5), keeps=st.booleans())
    def answer(self, data, seconds, keeps):
        unit = self.handed[data.draw(st.sampled_from(sorted(self.handed)))]
        if self.scheduler.done(unit.number, self.now, seconds, 0.0, None if keeps else [unit.shard]):
            self.settled.update((unit.shard, item) for item in unit.items)
        if data.draw(st.booleans()):  # else it may arrive again
            del self.handed[unit.number]

    @precondition(lambda self: self.handed)
    @rule(data=st.data())
    def lose_message(self, data):
        self.settled.update(self.scheduler.lost(data.draw(st.sampled_from(sorted(self.handed)))))

    @precondition(lambda self: self.alive)
    @rule(data=st.data())
    def retire(self, data):
        worker = data.draw(st.sampled_from(sorted(self.alive)))
        self.alive[worker] = True
        self.scheduler.retire(worker)

    @precondition(lambda self: self.alive)
    @rule(data=st.data(), at_fault=st.booleans())
    def leave(self, data, at_fault):
        worker = data.draw(st.sampled_from(sorted(self.alive)))
        del self.alive[worker]
        self.settled.update(self.scheduler.leave(worker, at_fault=at_fault))

    @invariant()
    def nothing_counts_twice(self):
        assert not self.settled or max(self.settled.values()) == 1
        assert self.scheduler.finished == (sum(self.settled.values()) == 21)

    def teardown(self):
        """Whatever has happened, one patient worker finishes the rest."""
        for worker in list(self.alive):
            self.settled.update(self.scheduler.leave(worker, at_fault=False))
        self.scheduler.join("last")
        while (unit := self.scheduler.take("last", self.now)) is not None:
            assert self.scheduler.done(unit.number, self.now, 0.1)
            self.settled.update((unit.shard, item) for item in unit.items)
        assert self.scheduler.finished
        assert self.settled == every(self.work)


TestAnything = Anything.TestCase
TestAnything.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)


def test_unequal_workers_finish_together():
    speeds = {0: 0.1, 1: 0.1, 2: 0.4}
    ended = Simulation({shard: range(100) for shard in range(4)}, speeds).run()
    ideal = 400 / sum(1 / speed for speed in speeds.values())
    assert ended.now < 1.1 * ideal


@pytest.mark.parametrize("workers", [32, 64])
def test_many_workers_of_one_speed_share_few_units_evenly(workers):
    """Twenty units each: none does 21 because another left what the holders of a shard had no time for."""
    work = {shard: range(workers * 20 * shard // 50, workers * 20 * (shard + 1) // 50) for shard in range(50)}
    ended = Simulation(work, dict.fromkeys(range(workers), 1.0), jitter=0.001).run()
    assert ended.now < 20.1


def test_a_worker_that_is_a_hundred_times_slower_does_not_hold_up_the_end():
    ended = Simulation({0: range(60)}, {0: 0.1, 1: 0.1, 2: 10.0}).run()
    assert ended.now < 10.0, "nobody waited for the slow worker's first item"


def test_a_newcomer_gets_work():
    ended = Simulation({0: range(100), 1: range(100)}, {0: 0.1}, 0.2, arrivals=[(2.0, 1, 0.1)]).run()
    assert sum(unit.worker == 1 for unit, _ in ended.units) > 3
    assert ended.now < 0.65 * 20


def test_units_take_about_the_target():
    ended = Simulation({shard: range(2000) for shard in range(2)}, {0: 0.01, 1: 0.03}).run()
    whole = sorted(took for _, took in ended.units)
    assert 0.5 <= whole[len(whole) // 2] <= 2.0
    assert whole[-1] <= 2.0


def test_shards_stick_to_workers():
    """Eight shards, four workers, reading one costs as much as four items: few are read twice."""
    ended = Simulation({shard: range(40) for shard in range(8)}, dict.fromkeys(range(4), 0.5), loading=2.0).run()
    assert sum(ended.loads.values()) <= 10
    assert ended.now < 1.15 * (8 * 40 * 0.5 + 8 * 2.0) / 4


def test_a_shard_is_not_stolen_where_reading_it_costs_more_than_waiting():
    scheduler = Scheduler({0: range(4)})
    scheduler.join("holder", Facts({0}, seconds=0.5, loading=100.0))
    scheduler.join("idle", Facts(set(), seconds=0.5, loading=100.0))
    assert scheduler.take("idle", 0.0) is None
    scheduler.join("quick", Facts(set(), seconds=0.5, loading=0.1))
    assert scheduler.take("quick", 0.0) is not None


def test_a_shard_that_was_dropped_for_memory_counts_as_not_held():
    scheduler = Scheduler({0: range(3), 1: range(3)})
    scheduler.join("a", Facts({0}))
    unit = scheduler.take("a", 0.0)
    scheduler.done(unit.number, 1.0, 1.0, 0.5, held=[])
    assert scheduler.facts("a").held == set()
    scheduler.join("b")
    assert {scheduler.take("a", 1.0).shard, scheduler.take("b", 1.0).shard} == {0, 1}


def test_chunks_grow_to_the_target_and_leave_some_for_others():
    scheduler = Scheduler({0: range(1000)}, target_seconds=1.0)
    scheduler.join("a")
    unit = scheduler.take("a", 0.0)
    assert len(unit.items) == 1
    scheduler.done(unit.number, 0.01, 0.01)
    assert len(scheduler.take("a", 0.01).items) == 100


def late_unit():
    scheduler = Scheduler({0: range(2)})
    for worker in "ab":
        scheduler.join(worker, Facts({0}, seconds=1.0))
    slow, quick = scheduler.take("a", 0.0), scheduler.take("b", 0.0)
    scheduler.done(quick.number, 1.0, 1.0)
    return scheduler, slow


def test_an_idle_worker_repeats_what_is_late_and_the_first_result_counts():
    scheduler, slow = late_unit()
    assert scheduler.take("b", 1.1) is None, "not late yet"
    again = scheduler.take("b", 5.0)
    assert again.items == slow.items and again.again == slow.number
    assert scheduler.done(again.number, 6.0, 1.0)
    assert scheduler.finished and scheduler.superseded() == [slow.number]
    assert not scheduler.done(slow.number, 9.0, 9.0)


def test_a_repeated_unit_whose_first_worker_dies_is_not_handed_out_a_third_time():
    scheduler, _ = late_unit()
    again = scheduler.take("b", 5.0)
    assert scheduler.leave("a") == []
    scheduler.join("c")
    assert scheduler.take("c", 5.0) is None
    assert scheduler.done(again.number, 6.0, 1.0)
    assert scheduler.finished


def test_the_child_at_fault_in_a_chunk_is_found_and_given_up_alone():
    """Ten children in one unit, one of which kills every worker: three deaths, and nine results."""
    scheduler, deaths, results, given_up = Scheduler({0: range(10)}), 0, set(), []
    worker = 0
    scheduler.join(worker, Facts({0}, seconds=0.01))
    while not scheduler.finished:
        unit = scheduler.take(worker, 0.0)
        if unit is None:
            unit = scheduler.unit(scheduler.running(worker)[0])
        elif len(scheduler.running(worker)) == 1:
            continue
        first = scheduler.unit(scheduler.running(worker)[0])
        if 7 in first.items:
            deaths += 1
            given_up += scheduler.leave(worker)
            worker += 1
            scheduler.join(worker, Facts({0}, seconds=0.01))
        else:
            scheduler.done(first.number, 0.0, 0.1)
            results.update(first.items)
    assert given_up == [(0, 7)]
    assert deaths == 3
    assert results == set(range(10)) - {7}


def test_an_item_given_up_on_one_shard_is_given_up_on_all():
    """What is in flight elsewhere may still come back; if it is lost, it does not go out again."""
    scheduler = Scheduler({shard: [3, 4] for shard in range(4)})
    scheduler.join("quick", Facts({1}))
    scheduler.join("slow", Facts({2}))
    assert scheduler.take("quick", 0.0).items == scheduler.take("slow", 0.0).items == (3,)
    for worker in range(3):
        scheduler.join(worker, Facts({0}))
        assert scheduler.take(worker, 0.0).items == (3,)
        given_up = scheduler.leave(worker)
    assert sorted(given_up) == [(0, 3), (3, 3)]
    assert scheduler.done(scheduler.running("quick")[0], 1.0, 1.0)
    assert scheduler.leave("slow", at_fault=False) == [(2, 3)]
    scheduler.join("last")
    while not scheduler.finished:
        unit = scheduler.take("last", 2.0)
        assert set(unit.items) == {4}
        scheduler.done(unit.number, 2.0, 0.1)


def test_nodes_that_go_away_blame_nobody():
    scheduler = Scheduler({0: [1]})
    for worker in range(20):
        scheduler.join(worker)
        assert scheduler.take(worker, 0.0) is not None
        assert scheduler.leave(worker, at_fault=False) == []
    assert not scheduler.finished


def test_a_late_duplicate_counts_once():
    scheduler = Scheduler({0: [1]})
    scheduler.join("a")
    unit = scheduler.take("a", 0.0)
    assert scheduler.done(unit.number, 1.0, 1.0)
    assert not scheduler.done(unit.number, 1.0, 1.0)


@pytest.mark.parametrize("empty", [{}, {0: []}])
def test_no_work_is_finished_at_once(empty):
    assert Scheduler(empty).finished


def test_a_unit_is_of_one_group_and_as_long_as_the_groups_price_says():
    work, groups = {0: list(range(40))}, {item: "dear" if item < 20 else "cheap" for item in range(40)}
    scheduler = Scheduler(work, target_seconds=1.0, groups=groups)
    scheduler.join("w", Facts({0}, prices={"dear": 0.5, "cheap": 0.05}))
    units, now = [], 0.0
    while not scheduler.finished:
        unit = scheduler.take("w", now)
        units.append(unit.items)
        now += len(unit.items) * (0.5 if unit.items[0] < 20 else 0.05)
        scheduler.done(unit.number, now, len(unit.items) * (0.5 if unit.items[0] < 20 else 0.05))
    assert all(len({groups[item] for item in items}) == 1 for items in units)
    assert max(len(items) for items in units if items[0] < 20) <= 3
    assert max(len(items) for items in units if items[0] >= 20) >= 10
    assert sorted(item for items in units for item in items) == list(range(40))


def test_prices_go_from_one_job_to_the_next():
    scheduler = Scheduler({0: [0, 1]}, groups={0: "a", 1: "b"})
    scheduler.join("w", Facts({0}))
    for seconds in (2.0, 0.25):
        unit = scheduler.take("w", 0.0)
        scheduler.done(unit.number, 0.0, seconds)
    assert scheduler.facts("w").prices == {"a": 2.0, "b": 0.25}
