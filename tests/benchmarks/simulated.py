"""The driver with a thousand workers, on a simulated clock: the real driver, scheduler and encoding, and no worker.

``python tests/benchmarks/simulated.py FILE --workers 1000 --children 1000 --shards 1281``. Workers, their loading of
shards, messages and nodes that come and go are events on a clock of the simulation's own; what the driver's own code
takes is measured on this machine's, as it runs, and the simulated clock goes on by as much, so that a driver which
cannot keep up is seen to. What no simulation has is charged by figures measured elsewhere: Ray's part of a unit
(``--ray-ms``: 0.42 ms a unit in all, scaling.json, of which the driver's own part is taken off) and the judging and
journal of an outcome (``--outcome-us``: judging_memory.py). One machine, one thread, no Ray, no network.
"""

from __future__ import annotations

import argparse
import heapq
import itertools
import json
import os
import platform
import random
import subprocess
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from evoray.backends.base import Job, Report, Work
from evoray.backends.driver import Driver
from evoray.backends.fleet import Cause, Event, Finished, Lost, Ready
from evoray.backends.worker import Loaded
from evoray.benchmarks.sleeper import ROW, SleepUnit, sleep_unit

IMAGES = 1000
"""A shard's."""


@dataclass(frozen=True)
class Cluster:
    """rate: images a second of a worker, each node's drawn around it by ``spread`` (log-normal). load_s: to read a
    shard. shards_held: by a worker. start_s: until an asked-for worker is ready. latency_s: of a message, one way.
    life_s: mean life of a spot node (0: for ever); half of them say ``notice_s`` before that they go. replace_s: until
    another comes for it."""

    nodes: int
    workers_a_node: int = 8
    rate: float = 3000.0
    spread: float = 0.05
    load_s: float = 0.5
    shards_held: int = 13
    start_s: float = 20.0
    latency_s: float = 0.002
    life_s: float = 0.0
    notice_s: float = 60.0
    replace_s: float = 90.0


@dataclass
class _Worker:
    node: int
    rate: float
    queue: deque[tuple[int, SleepUnit]] = field(default_factory=deque)
    held: OrderedDict[int, None] = field(default_factory=OrderedDict)
    ready_at: float = 0.0
    idle_since: float = 0.0


class SimulatedFleet:
    """The extension point under the driver. ``now`` goes on by events and by what the driver itself has taken."""

    def __init__(self, cluster: Cluster, message_s: float, seed: int = 0) -> None:
        self.cluster, self.random, self._message_s = cluster, random.Random(seed), message_s
        self.now = self.driver_s = self.own_s = 0.0
        self._since = time.process_time()
        self._events: list[tuple[float, int, Callable[[], Event | None]]] = []
        self._order = itertools.count()
        self._workers: dict[int, _Worker] = {}
        self._waiting: deque[int] = deque()
        self._nodes: dict[int, list[int]] = {}
        self._rates: dict[int, float] = {}
        self._leaving: set[int] = set()
        self._numbers = itertools.count()
        self.made: SleepUnit | None = None
        self.lost_nodes = 0
        self._ended_images = 0.0
        for _ in range(cluster.nodes):
            self._node()

    def unit(self, shard: int, items: tuple[int, ...]) -> SleepUnit:
        """The job's; remembered, since the next message is about it."""
        self.made = sleep_unit(shard, items)
        return self.made

    def clock(self) -> float:
        return self.now

    def charge(self, seconds: float) -> None:
        """Time of the driver that this process does not take."""
        self.now += seconds
        self.driver_s += seconds

    # what the driver asks for

    def start(self, worker: int) -> None:
        self._waiting.append(worker)
        self._place()

    def load(self, worker: int) -> None:
        raise NotImplementedError("one source in a simulation")

    def send(self, worker: int, job: int, unit: int, preamble: bytes | None, payload: bytes) -> None:
        self.charge(self._message_s)
        made, found = self.made, self._workers.get(worker)
        if found is None or made is None:
            return
        self._at(self.cluster.latency_s, lambda: self._arrived(worker, unit, made))

    def cancel(self, unit: int) -> None:
        for number, worker in self._workers.items():
            for place, (queued, _) in enumerate(worker.queue):
                if queued == unit and place > 0:
                    del worker.queue[place]
                    self._at(self.cluster.latency_s, lambda number=number: Lost(number, unit, Cause.CANCELLED))
                    return

    def forget(self) -> None:
        for worker in self._workers.values():
            worker.queue.clear()

    def stop(self, worker: int) -> None:
        found = self._workers.pop(worker, None)
        if found is not None:
            self._ended_images += found.rate * (self.now - found.ready_at)
        for there in self._nodes.values():
            if worker in there:
                there.remove(worker)
        self._leaving.discard(worker)

    @property
    def capacity(self) -> float:
        """Images that all ready workers could have evaluated until now."""
        return self._ended_images + sum(one.rate * (self.now - one.ready_at) for one in self._workers.values())

    def wait(self, seconds: float) -> Sequence[Event]:
        spent = time.process_time() - self._since
        self.now += spent
        self.driver_s += spent
        self.own_s += spent
        until = self.now if self._events and self._events[0][0] <= self.now else self.now + seconds
        found: list[Event] = []
        while self._events and self._events[0][0] <= until:
            at, _, happen = heapq.heappop(self._events)
            self.now = max(self.now, at)
            if (event := happen()) is not None:
                found.append(event)
                until = self.now
        self.now = self.now if found else until
        self._since = time.process_time()
        return found

    def leaving(self) -> set[int]:
        return self._leaving & self._workers.keys()

    def room(self) -> tuple[int, int]:
        places = sum(self.cluster.workers_a_node for node in self._nodes)
        return places, 0

    # what happens

    def _at(self, seconds: float, happen: Callable[[], Event | None]) -> None:
        heapq.heappush(self._events, (self.now + seconds, next(self._order), happen))

    def _node(self) -> None:
        node = next(self._numbers)
        self._nodes[node] = []
        self._rates[node] = self.cluster.rate * self.random.lognormvariate(0, self.cluster.spread)
        if self.cluster.life_s:
            life = self.random.expovariate(1 / self.cluster.life_s)
            if self.random.random() < 0.5:
                self._at(max(0.0, life - self.cluster.notice_s), lambda: self._leaving.update(self._nodes[node]))
            self._at(life, lambda: self._gone(node))
        self._place()

    def _place(self) -> None:
        for node, there in self._nodes.items():
            while self._waiting and len(there) < self.cluster.workers_a_node:
                worker = self._waiting.popleft()
                there.append(worker)
                self._at(self.cluster.start_s, lambda worker=worker, node=node: self._ready(worker, node))
            if not self._waiting:
                return

    def _ready(self, worker: int, node: int) -> Event | None:
        if node not in self._nodes or worker not in self._nodes[node]:
            return None
        self._workers[worker] = _Worker(node, self._rates[node], ready_at=self.now, idle_since=self.now)
        return Ready(worker, Loaded(True, f"node{node}", "", self.cluster.start_s))

    def _gone(self, node: int) -> Event | None:
        """A node's end: every unit its workers had is lost; another node comes some time later."""
        self.lost_nodes += 1
        for worker in self._nodes.pop(node):
            found = self._workers.pop(worker, None)
            self._leaving.discard(worker)
            if found is not None:
                self._ended_images += found.rate * (self.now - found.ready_at)
            numbers: list[int | None] = [None] if found is None else [unit for unit, _ in found.queue][:1] or [-1]
            self._at(self.cluster.latency_s, lambda w=worker, u=numbers[0]: Lost(w, u, Cause.NODE, "spot"))
        self._at(self.cluster.replace_s, self._node)
        return None

    def _arrived(self, worker: int, unit: int, made: SleepUnit) -> None:
        found = self._workers.get(worker)
        if found is None:
            return
        found.queue.append((unit, made))
        if len(found.queue) == 1:
            self._begin(worker, found)

    def _begin(self, worker: int, found: _Worker) -> None:
        unit, made = found.queue[0]
        loading = 0.0 if made.shard in found.held else self.cluster.load_s
        found.held[made.shard] = None
        found.held.move_to_end(made.shard)
        while len(found.held) > self.cluster.shards_held:
            found.held.popitem(last=False)
        seconds = loading + len(made.children) * IMAGES / found.rate
        waited = self.now - found.idle_since
        self._at(seconds, lambda: self._finished(worker, unit, made, seconds, loading, waited))

    def _finished(
        self, worker: int, unit: int, made: SleepUnit, seconds: float, loading: float, waited: float
    ) -> Event | None:
        found = self._workers.get(worker)
        if found is None or not found.queue or found.queue[0][0] != unit:
            return None
        found.queue.popleft()
        found.idle_since = self.now
        held = tuple(("select", shard) for shard in found.held) if loading else None
        report = Report(
            [(1024.0,) * ROW] * len(made.children),
            seconds,
            loading,
            int(loading > 0),
            held,
            waited=waited,
            images=IMAGES * len(made.children),
        )
        if found.queue:
            self._begin(worker, found)
        self._at(self.cluster.latency_s, lambda: Finished(worker, unit, report))
        return None


def simulated(
    cluster: Cluster, children: int, shards: int, ray_s: float, outcome_s: float, seed: int
) -> dict[str, Any]:
    """One job of ``children`` on ``shards``; efficiency: images that counted, over those
    that ready workers could have evaluated from the moment each was ready to the end."""
    fleet = SimulatedFleet(cluster, ray_s, seed)
    notes: list[str] = []
    driver = Driver(fleet, None, notes.append, fleet.clock)
    work = Work()
    driver.enlist(work, fresh=True, resend=True)
    started, real = 0.0, time.perf_counter()
    times: dict[str, float] = {}
    total = children * shards
    for done, _ in enumerate(driver.run(Job({shard: range(children) for shard in range(shards)}, fleet.unit)), 1):
        if done == 1:
            started = fleet.now
        fleet.charge(outcome_s)
        if done == total * 9 // 10:
            times["nine_tenths_s"] = fleet.now - started
    wall = fleet.now - started
    workers = cluster.nodes * cluster.workers_a_node
    return {
        "workers": workers,
        "children": children,
        "shards": shards,
        "units": work.units,
        "repeated": work.repeated,
        "retries": work.retries,
        "nodes_lost": fleet.lost_nodes,
        "shards_loaded": work.shards_loaded,
        "wall_s": wall,
        **times,
        "efficiency": total * IMAGES / fleet.capacity,
        "outcomes": done,
        "driver_busy": fleet.driver_s / fleet.now,
        "driver_own_ms_a_unit": 1e3 * fleet.own_s / work.units,
        "bytes_a_unit": work.bytes_to_workers / work.units,
        "waited_share": work.seconds.get("wait", 0.0) / (workers * wall),
        "loading_share": work.seconds.get("load", 0.0) / (workers * wall),
        "real_s": time.perf_counter() - real,
    }


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("file", type=Path, help="JSON; a case that is in it already is not repeated")
    asked.add_argument("--workers", type=int, nargs="+", default=[1000])
    asked.add_argument("--children", type=int, default=1000)
    asked.add_argument("--shards", type=int, default=1281, help="of 1,000 images: ImageNet's training set")
    asked.add_argument("--life-s", type=float, default=0.0, help="mean life of a spot node; 0: for ever")
    asked.add_argument("--ray-ms", type=float, default=0.3)
    asked.add_argument("--outcome-us", type=float, default=20.0)
    asked.add_argument("--seed", type=int, default=0)
    options = asked.parse_args()
    known = json.loads(options.file.read_text()) if options.file.exists() else []
    commit = subprocess.run(["git", "rev-parse", "--short=7", "HEAD"], capture_output=True, text=True).stdout.strip()
    for workers in options.workers:
        cluster = Cluster(nodes=workers // 8, life_s=options.life_s)
        found = simulated(
            cluster, options.children, options.shards, options.ray_ms / 1e3, options.outcome_us / 1e6, options.seed
        )
        about = {"life_s": options.life_s, "ray_ms": options.ray_ms, "outcome_us": options.outcome_us}
        device = {"device": f"{platform.machine()}, {os.cpu_count()} cores", "commit": commit}
        date = {"date": datetime.now(UTC).strftime("%Y-%m-%d")}
        known.append(found | about | device | date | {"seed": options.seed})
        options.file.write_text(json.dumps(known, indent=1) + "\n")
        print(json.dumps(known[-1], indent=1), flush=True)


if __name__ == "__main__":
    main()
