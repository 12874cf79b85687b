"""In this process: one thread a worker, each with a model of its own. What every other backend must equal."""

from __future__ import annotations

import copy
import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

import torch
from torch import nn

from evoray.backends.base import Job, Outcome, Report, Work
from evoray.backends.scheduler import Assignment, Facts, Scheduler
from evoray.backends.worker import evaluate, own_error
from evoray.config import ComputeConfig
from evoray.errors import EvorayError
from evoray.evaluation.evaluator import Evaluator
from evoray.evaluation.packing import EvaluatorSource, pack_model
from evoray.evaluation.program import Program
from evoray.runtime import logs

Running = dict[Future[Report], Assignment]


class LocalBackend:
    """``workers`` threads; PyTorch's operators release the GIL, so they use as many cores."""

    def __init__(self, compute: ComputeConfig) -> None:
        logs.set_up()
        self._compute = compute
        self.work = Work()
        self.note: Callable[[str], None] = lambda text: None
        self._key = ""
        self._evaluators: list[Evaluator] = []
        self._pool: ThreadPoolExecutor | None = None
        self._threads_before = torch.get_num_threads()

    def has_gpu(self) -> bool:
        return torch.cuda.is_available()

    def open(self, model: nn.Module, program: Program) -> None:
        self.work = Work(workers=self._workers(program))
        key = EvaluatorSource(program, pack_model(model).digest()).key
        if self._pool is not None and key == self._key:
            return
        self.close()
        self._key = key
        self._evaluators = [Evaluator(copy.deepcopy(model), program) for _ in range(self.work.workers)]
        self.work.models_built = self.work.workers
        self._pool = ThreadPoolExecutor(
            self.work.workers, "evoray-worker", initializer=torch.set_num_threads, initargs=(program.threads,)
        )

    def run(self, job: Job) -> Iterator[Outcome]:
        assert self._pool is not None, "open() comes before run()"
        scheduler = Scheduler(job.work, repeat_late=False)
        running: Running = {}
        for worker, evaluator in enumerate(self._evaluators):
            held = {shard for split, shard in evaluator.held() if split == job.split}
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
            # an evaluator is one thread's at a time; what is called off never ends for one who waits
            wait([future for future in running if not future.cancel()])

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

    def _submit(self, scheduler: Scheduler, worker: int, job: Job, running: Running) -> None:
        assignment = scheduler.take(worker, time.monotonic())
        if assignment is None or self._pool is None:
            return
        unit = job.unit(assignment.shard, assignment.items)
        running[self._pool.submit(evaluate, unit, self._evaluators[worker], job.run)] = assignment
        self.work.units += 1


def _report(future: Future[Report]) -> Report:
    try:
        return future.result()
    except EvorayError:
        raise
    except Exception as error:
        raise own_error(error) from error
