"""In this process: one thread a worker, each with a state of its own. What every other backend must equal.

The process is its user's, who shares it: what a source wants set is set for as long as the backend is open, and then
put back. Numbers of threads are each thread's own; the user's threads keep theirs.
"""

import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import ExitStack

import torch

from evoray.backends.base import Bulk, Job, Outcome, Report, Source, Work, WorkerState
from evoray.backends.scheduler import Assignment, Facts, Scheduler
from evoray.backends.worker import evaluate, own_error
from evoray.config import ComputeConfig
from evoray.errors import EvorayError
from evoray.runtime import logs
from evoray.runtime.auto import given
from evoray.runtime.malloc import freed_memory_kept

Running = dict[Future[Report], Assignment]


class LocalBackend:
    """``workers`` threads; PyTorch's operators release the GIL, so they use as many cores."""

    def __init__(self, compute: ComputeConfig) -> None:
        logs.set_up()
        self._compute = compute
        self.work = Work()
        self.note: Callable[[str], None] = lambda text: None
        self.on_workers: Callable[[Mapping[str, int]], None] = lambda states: None
        self._key = ""
        self._states: list[WorkerState] = []
        self._pool: ThreadPoolExecutor | None = None
        self._opened = ExitStack()
        """What closing undoes."""

    def has_gpu(self) -> bool:
        return torch.cuda.is_available()

    def open(self, source: Source, bulk: Bulk) -> None:
        self.work = Work(workers=self._workers(source))
        if self._pool is not None and source.key == self._key:
            return
        self.close()
        with ExitStack() as opened:
            opened.enter_context(source.settings())
            pool = _threads(self.work.workers, source.threads)
            opened.callback(pool.shutdown, cancel_futures=True)
            states = [pool.submit(source.build, bulk.value).result() for _ in range(self.work.workers)]
            if source.device == "cpu":
                opened.enter_context(freed_memory_kept())  # only now: what building took goes back
            self._opened = opened.pop_all()
        self._key, self._pool, self._states = source.key, pool, states
        self.work.models_built = self.work.workers

    def run(self, job: Job) -> Iterator[Outcome]:
        assert self._pool is not None, "open() comes before run()"
        if not self.work.units:  # the first job since it was opened
            self.on_workers({"ready": len(self._states), "starting": 0, "leaving": 0})
        scheduler = Scheduler(job.work, repeat_late=False, groups=job.groups)
        running: Running = {}
        for worker, state in enumerate(self._states):
            held = {shard for split, shard in state.held() if split == job.split}
            scheduler.join(worker, Facts(held))
            self._submit(scheduler, worker, job, running)
        try:
            while not scheduler.finished:
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    assignment = running.pop(future)
                    report = _report(future)
                    scheduler.done(assignment.number, time.monotonic(), report.seconds, report.loading)
                    self.work.count(report, fresh=True)
                    self._submit(scheduler, int(str(assignment.worker)), job, running)
                    for item, value in zip(assignment.items, report.values, strict=True):
                        yield Outcome(assignment.shard, item, value)
        finally:
            # a state is one thread's at a time; what is called off never ends for one who waits
            wait([future for future in running if not future.cancel()])

    def close(self) -> None:
        self._pool = None
        self._opened.close()
        for state in self._states:
            state.close()
        self._states = []

    def _workers(self, source: Source) -> int:
        """As asked; else one for each ``threads`` cores, or a single one that has the GPU to itself."""
        workers = given(self._compute.workers)
        if workers is not None:
            return workers
        return 1 if source.device != "cpu" else max(1, (os.cpu_count() or 1) // (source.threads or 1))

    def _submit(self, scheduler: Scheduler, worker: int, job: Job, running: Running) -> None:
        assignment = scheduler.take(worker, time.monotonic())
        if assignment is None or self._pool is None:
            return
        unit = job.unit(assignment.shard, assignment.items)
        running[self._pool.submit(evaluate, unit, self._states[worker], job.run)] = assignment
        self.work.units += 1


def _threads(workers: int, threads: int | None) -> ThreadPoolExecutor:
    """``workers`` threads, all begun, in each of which PyTorch computes with so many of its own (None: as it likes).

    PyTorch counts for each thread apart, but gives the last number that was set anywhere to threads that come later:
    setting this thread's own number once more leaves the user's later threads with that one.
    """
    if threads is None:
        return ThreadPoolExecutor(workers, "evoray-worker")
    before = torch.get_num_threads()
    pool = ThreadPoolExecutor(workers, "evoray-worker", initializer=_compute_with, initargs=(threads,))
    begun = threading.Barrier(workers)
    wait([pool.submit(begun.wait) for _ in range(workers)])
    torch.set_num_threads(before)
    return pool


def _compute_with(threads: int) -> None:
    torch.get_num_threads()  # else this thread's first operator would set the number that was set last anywhere
    torch.set_num_threads(threads)
    torch.set_flush_denormal(False)  # a thread begins with what the one that began it had set


def _report(future: Future[Report]) -> Report:
    try:
        return future.result()
    except EvorayError:
        raise
    except Exception as error:
        raise own_error(error) from error
