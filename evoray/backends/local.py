"""In this process: one thread a worker, each with a model of its own. What every other backend must equal."""

from __future__ import annotations

import copy
import os
import time
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Any

import torch
from torch import nn

from evoray.backends.base import Job, Outcome, Unit, Work
from evoray.config import ComputeConfig
from evoray.evaluation import Evaluator, Program
from evoray.scheduling import Assignment, Scheduler


class LocalBackend:
    """``workers`` threads; PyTorch's operators release the GIL, so they use as many cores."""

    def __init__(self, compute: ComputeConfig) -> None:
        self._compute = compute
        self.work = Work()
        self._evaluators: list[Evaluator] = []
        self._pool: ThreadPoolExecutor | None = None
        self._threads_before = torch.get_num_threads()

    def has_gpu(self) -> bool:
        return torch.cuda.is_available()

    def open(self, model: nn.Module, program: Program) -> None:
        self.work.workers = self._workers(program)
        self._evaluators = [Evaluator(copy.deepcopy(model), program) for _ in range(self.work.workers)]
        self._pool = ThreadPoolExecutor(
            self.work.workers, "evoray-worker", initializer=torch.set_num_threads, initargs=(program.threads,)
        )

    def run(self, job: Job) -> Iterator[Outcome]:
        assert self._pool is not None, "open() comes before run()"
        scheduler = Scheduler(job.work)
        running: dict[Future[tuple[list[Any], float]], Assignment] = {}
        for worker in range(self.work.workers):
            scheduler.join(worker)
            self._submit(scheduler, worker, job, running)
        try:
            while running:
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    assignment = running.pop(future)
                    values, seconds = future.result()
                    scheduler.done(assignment.number, seconds)
                    self._submit(scheduler, int(str(assignment.worker)), job, running)
                    for item, value in zip(assignment.items, values, strict=True):
                        yield Outcome(assignment.shard, item, value)
        finally:
            for future in running:
                future.cancel()

    def close(self) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)
            self._pool = None
            torch.set_num_threads(self._threads_before)
        self._evaluators.clear()

    def _workers(self, program: Program) -> int:
        """As asked; else one for each ``threads`` cores, or a single one that has the GPU to itself."""
        if self._compute.workers != "auto":
            return self._compute.workers
        return 1 if program.device != "cpu" else max(1, (os.cpu_count() or 1) // program.threads)

    def _submit(
        self,
        scheduler: Scheduler,
        worker: int,
        job: Job,
        running: dict[Future[tuple[list[Any], float]], Assignment],
    ) -> None:
        assignment = scheduler.take(worker)
        if assignment is None or self._pool is None:
            return
        unit = job.unit(assignment.shard, assignment.items)
        running[self._pool.submit(_timed, unit, self._evaluators[worker])] = assignment
        self.work.units += 1


def _timed(unit: Unit, evaluator: Evaluator) -> tuple[list[Any], float]:
    started = time.perf_counter()
    return unit.run(evaluator), time.perf_counter() - started
