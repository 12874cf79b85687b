"""How the driver's memory and time grow with children x shards, on the real path of a run, without Ray.

``python tests/benchmarks/judging_memory.py CHILDREN [--shards 50] [--macro-f1]`` prints one JSON object. Real are
the strategy, the driver's loop, the scheduler, the wire format, judging and the journal (and reading it back, as a
resumed run does); the workers answer at once with made-up sums: 5 numbers, or with macro-F1 over 1,000 classes 3,005.
"""

from __future__ import annotations

import argparse
import json
import resource
import tempfile
import time

import numpy as np
import pandas as pd  # pyarrow imports it where it is there, at a moment of its own choice
from torch import nn

from evoray.backends.base import Job, Report, Work
from evoray.backends.driver import Driver
from evoray.backends.fleet import Finished, Ready
from evoray.backends.wire import Decoder
from evoray.backends.worker import Loaded
from evoray.config import parse_config
from evoray.config.resolve import Facts, resolve
from evoray.search.inputs import check_inputs
from evoray.search.population import Population
from evoray.search.session import open_session
from evoray.storage.directory import RunDirectory
from evoray.storage.journal import Journal
from evoray.strategies import make_strategy

WORKERS, SECONDS = 32, 0.2
"""Workers, and what they say a child on a shard took: five children make a unit."""


class InstantFleet:
    """Workers whose answers are there at the next look."""

    def __init__(self, width):
        self._events, self._more = [], np.ones(width)
        self._decoder, self._job = None, None

    def start(self, worker):
        self._events.append(Ready(worker, Loaded(built=False)))

    load = start

    def send(self, worker, job, unit, preamble, payload):
        if preamble is not None and job != self._job:
            self._job, self._decoder = job, Decoder(preamble)
        children = self._decoder.decode(payload).children
        rows = [np.array([1024.0, 700.0, 900.0, 0.0, 717.0 + len(child.name), *self._more]) for child in children]
        self._events.append(Finished(worker, unit, Report(rows, SECONDS * len(rows))))

    def wait(self, seconds):
        events, self._events = self._events, []
        return events

    def forget(self):
        self._events = [event for event in self._events if isinstance(event, Ready)]

    def room(self):
        return WORKERS, 0

    def leaving(self):
        return set()

    def cancel(self, unit):
        pass

    def stop(self, worker):
        pass


class InstantBackend:
    def __init__(self, width):
        self._driver = Driver(InstantFleet(width), WORKERS, lambda text: None)
        self._driver.enlist(Work(), fresh=False, resend=False)

    @property
    def work(self):
        return self._driver.work

    def run(self, job: Job):
        return self._driver.run(job)


def peak_mb():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6


def thousand():
    """A parent with ImageNet's number of outputs, when this file is imported by name."""
    return nn.Sequential(nn.Flatten(), nn.Linear(28 * 28, 1000))


def measure(children, shards, macro_f1=False):
    classes, parent = (1000, "judging_memory:thousand") if macro_f1 else (10, "evoray.demo:small_cnn")
    config = parse_config(
        {
            "parent": {"source": "module", "name": parent, "weights": "random"},
            "data": {"path": f"mock:images={shards * 4},size=28,channels=1,classes={classes},shard_size=4"},
            "fitness": {"name": "macro-f1" if macro_f1 else "nll"},
            "search": {"children": children},
            "mutation": {"parts": 100},
            "compute": {"backend": "local", "threads_per_worker": 1, "device": "cpu"},
        }
    )
    inputs = check_inputs(config, None)
    resolved = resolve(inputs.config, Facts(has_gpu=False))
    backend = InstantBackend(3 * classes if macro_f1 else 0)
    with tempfile.TemporaryDirectory() as folder:
        directory = RunDirectory(f"{folder}/run")
        with open_session(directory, inputs, resolved, backend, [], False) as session:
            before, wall, cpu = peak_mb(), time.perf_counter(), time.process_time()
            strategy = make_strategy(config)
            evaluated = Population(session).evaluate(strategy.ask())
            strategy.tell([one.fitness for one in evaluated])
            cpu, wall, judging = time.process_time() - cpu, time.perf_counter() - wall, peak_mb() - before
        assert len(evaluated) == children + 1
        records = Journal(directory).read()
        known = sum(1 for _ in records.take("g0000/child"))
    evaluations = (children + 1) * shards
    assert known == evaluations
    return {
        "children": children,
        "shards": shards,
        "fitness": config.fitness.name,
        "evaluations": evaluations,
        "units": backend.work.units,
        "grown_mb": judging,
        "grown_with_reading_mb": peak_mb() - before,
        "driver_cpu_ms_per_unit": 1e3 * cpu / backend.work.units,
        "driver_cpu_us_per_evaluation": 1e6 * cpu / evaluations,
        "bytes_per_evaluation": backend.work.bytes_to_workers / evaluations,
        "wall_s": wall,
        "pandas": pd.__version__,
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("children", type=int)
    parser.add_argument("--shards", type=int, default=50)
    parser.add_argument("--macro-f1", action="store_true")
    arguments = parser.parse_args()
    print(json.dumps(measure(arguments.children, arguments.shards, arguments.macro_f1)))
