"""How far one driver goes: the real scheduler and the real Ray backend, with work of known cost in the workers.

Workers hold no CPU and do not import torch (``sleeper.py``), so 64 of them are measured on two cores.
"""

import resource
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from evoray.backends import Backend, Bulk, Job, make_backend
from evoray.benchmarks.sleeper import Sleeper, sleep_unit
from evoray.config import ComputeConfig
from evoray.errors import BackendError
from evoray.runtime.progress import Progress

SHARDS = 50
"""As ImageNet's validation images have, in shards of 1,024."""

STARTUP_SECONDS = 600


@dataclass(frozen=True)
class Load:
    """units: how many, each of ``unit_seconds`` and ``children`` children on one shard; the scheduler forms them."""

    units: int
    unit_seconds: float
    children: int = 1
    logits_bytes: int = 0

    @property
    def sleeper(self) -> Sleeper:
        return Sleeper(self.unit_seconds / self.children, self.logits_bytes)

    def job(self) -> Job:
        shards = min(SHARDS, self.units)
        count, more = divmod(self.units * self.children, shards)
        sizes = [count + (shard < more) for shard in range(shards)]
        numbers = range(max(sizes))
        work = {shard: numbers[:size] for shard, size in enumerate(sizes)}
        return Job(work, sleep_unit, target_seconds=self.unit_seconds)


def scaling(workers: int, load: Load, repeats: int = 1, progress: Progress | None = None) -> dict[str, Any]:
    """One entry of ``{"results": […]}``: medians over ``repeats`` rounds on the same workers, start-up apart.

    Keys: ``wall_s``; ``units_per_s``; ``efficiency``, units x unit_seconds / workers over wall_s;
    ``driver_cpu_ms_per_unit``, all threads of this process; ``driver_rss_mb``, its largest so far, and
    ``driver_rss_growth_mb``, how much of that the rounds added; ``startup_s``, until the last worker was ready;
    ``spread``, (smallest, largest) of the rounds.

    Raises:
        BackendError: not all workers came within STARTUP_SECONDS.
    """
    progress = progress or Progress()
    # workers that wait need no core; a configuration could not ask for that
    asked = ComputeConfig(backend="ray", workers=workers)
    compute = asked.model_copy(update={"cpus_per_worker": 0, "gpus_per_worker": 0})
    backend = make_backend(compute)
    try:
        started = time.perf_counter()
        _start(backend, workers, load.sleeper, progress)
        startup = time.perf_counter() - started
        before = _peak_mb()
        rounds = [_round(backend, workers, load, number, progress) for number in range(repeats)]
        grown = _peak_mb() - before
    finally:
        backend.close()
    return entry(workers, load, rounds) | {"startup_s": startup, "driver_rss_growth_mb": grown}


def _start(backend: Backend, workers: int, sleeper: Sleeper, progress: Progress) -> None:
    """Starts the workers and gives them short jobs until all are there."""
    progress.stage("start", workers, "workers")
    backend.open(sleeper, Bulk())
    deadline, ready = time.monotonic() + STARTUP_SECONDS, 0
    while ready < workers:
        if time.monotonic() > deadline:
            raise BackendError(
                f"{ready} of {workers} workers were ready after {STARTUP_SECONDS} s. Give the machine more memory "
                "(about 100 MB a worker), or ask for fewer with --workers."
            )
        for _ in backend.run(Job({0: range(ready + 1)}, sleep_unit)):
            pass
        progress.advance(backend.work.workers - ready)
        ready = backend.work.workers


def _round(backend: Backend, workers: int, load: Load, number: int, progress: Progress) -> dict[str, float]:
    progress.stage(f"round {number + 1}", load.units * load.children)
    job, units = load.job(), backend.work.units
    wall, cpu = time.perf_counter(), time.process_time()
    for _ in backend.run(job):
        progress.advance(1)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return {
        "wall_s": wall,
        "efficiency": load.units * load.unit_seconds / workers / wall,
        "driver_cpu_ms_per_unit": 1e3 * cpu / (backend.work.units - units),
        "units_issued": backend.work.units - units,
        "units_per_s": (backend.work.units - units) / wall,
    }


def entry(workers: int, load: Load, rounds: Sequence[dict[str, float]]) -> dict[str, Any]:
    entry: dict[str, Any] = {"workers": workers, **asdict(load)}
    entry |= {key: statistics.median(one[key] for one in rounds) for key in rounds[0]}
    entry["spread"] = {key: (min(one[key] for one in rounds), max(one[key] for one in rounds)) for key in rounds[0]}
    return entry | {"driver_rss_mb": _peak_mb(), "repeats": len(rounds)}


def _peak_mb() -> float:
    """The largest this process has been; Linux counts in kB, macOS in bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak * 1024 / 1e6
