"""On Ray: the only module (with serve.py) that imports it.

The driver owns the work: actors are never restarted by Ray, a unit lost with its actor goes back to the scheduler,
and a result that arrives twice counts once. The parent travels as one flat buffer, put into the object store once
and read there by every worker of a node; children travel as recipes.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import secrets
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

# A driver under `uv run` would make Ray rebuild the environment for every worker; they run in this one.
os.environ.setdefault("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")
CLUSTER_FILE = "/tmp/ray/ray_current_cluster"


def _secure_embedded() -> None:
    """Before Ray reads its environment: an embedded cluster gets a secret of this process alone.

    Nothing is left in the user's home, and no other user of the machine can run code through it. A cluster that
    is there already has a mode and a token of its own, and a caller who imported Ray has chosen.
    """
    if "ray" in sys.modules or os.environ.get("RAY_ADDRESS") or os.path.exists(CLUSTER_FILE):
        return
    if "RAY_AUTH_MODE" not in os.environ:
        os.environ["RAY_AUTH_MODE"] = "token"
        os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))


_secure_embedded()

import numpy as np
import ray
from ray.exceptions import (
    ActorDiedError,
    ActorUnavailableError,
    NodeDiedError,
    ObjectLostError,
    OutOfMemoryError,
    RayError,
    RayTaskError,
    WorkerCrashedError,
)

from evoray.backends.base import Job, Outcome, Source, Work
from evoray.backends.worker import Worker
from evoray.config import ComputeConfig
from evoray.errors import BackendError, EvaluationError, EvorayError
from evoray.scheduling import Assignment, Scheduler

if TYPE_CHECKING:
    from torch import nn

    from evoray.evaluation import Program

LOST = (
    ActorDiedError,
    ActorUnavailableError,
    NodeDiedError,
    WorkerCrashedError,
    ObjectLostError,
    OutOfMemoryError,
)
"""The unit is to be done again: nothing is wrong with it, as far as anyone knows."""

IN_FLIGHT = 2
"""Units an actor holds: one it works on, and one so that it never waits for the driver."""


class Actor(Worker):
    """A worker as Ray's actor; the large part of a source comes as a list with its reference, uncopied."""

    def __init__(self, paths: list[str]) -> None:
        super().__init__(paths, lambda references: ray.get(references[0]))


def connect(compute: ComputeConfig) -> bool:
    """Joins the cluster that RAY_ADDRESS names, or one running here; else starts one. True when it is our own."""
    if ray.is_initialized():
        return False
    if os.environ.get("RAY_ADDRESS") or os.path.exists(CLUSTER_FILE):
        with contextlib.suppress(ConnectionError):
            ray.init(address="auto", log_to_driver=False, logging_level="warning")
            return False
        if os.environ.get("RAY_ADDRESS"):
            raise BackendError(
                f"RAY_ADDRESS = {os.environ['RAY_ADDRESS']}: no Ray cluster answers there. Start it, set "
                "RAY_AUTH_MODE and its token as on the cluster, or unset RAY_ADDRESS for an embedded one."
            )
    _start_embedded(compute)
    return True


def _start_embedded(compute: ComputeConfig) -> None:
    cores = os.cpu_count() or 1
    wanted = compute.workers * compute.cpus_per_worker if isinstance(compute.workers, int) else cores
    ray.init(
        address="local",
        num_cpus=max(cores, int(np.ceil(wanted))),
        include_dashboard=False,
        log_to_driver=False,
        logging_level="warning",
        configure_logging=True,
    )


class RayBackend:
    """Actors on whatever the cluster has; see the module's docstring."""

    def __init__(self, compute: ComputeConfig) -> None:
        self.work = Work()
        self._compute = compute
        self._own = connect(compute)
        self._actors: dict[int, Any] = {}
        self._starting: dict[int, Any] = {}
        self._joining: dict[Any, int] = {}
        self._count = 0
        self._paths: list[str] = []
        self._source: tuple[str, bytes] = ("", b"")
        self._bulk: Any = None
        self._request: dict[str, Any] = {}

    def has_gpu(self) -> bool:
        return float(ray.cluster_resources().get("GPU", 0)) > 0

    def open(self, model: nn.Module, program: Program) -> None:
        from evoray.backends.packing import EvaluatorSource, pack_model

        packed = pack_model(model)
        self._paths = [program.config_dir] if program.config_dir else []
        self.serve(EvaluatorSource(program, packed.digest()), packed, packed.nbytes, program.device)

    def serve(self, source: Source, bulk: Any, nbytes: int, device: str = "cpu") -> None:
        """Starts workers that build ``source``; ``bulk`` of ``nbytes`` goes to every node once."""
        self._source = (source.key, pickle.dumps(source, protocol=5))
        self._bulk = ray.put(bulk)
        self.work.bytes_to_workers += nbytes
        self._request = self._resources(device)
        self.work.workers = self._target()
        for _ in range(self.work.workers):
            self._start_actor()

    def run(self, job: Job) -> Iterator[Outcome]:
        scheduler = Scheduler(job.work)
        for worker in self._actors:
            scheduler.join(worker)
        running: dict[Any, Assignment] = {}
        try:
            while not scheduler.finished:
                for worker in list(self._actors):
                    self._feed(scheduler, worker, job, running)
                done, _ = ray.wait([*running, *self._joining], num_returns=1, timeout=10.0)
                for reference in done:
                    if reference in self._joining:
                        self._join(reference, scheduler)
                    else:
                        yield from self._collect(reference, scheduler, running)
        finally:
            for reference in running:
                with contextlib.suppress(RayError):
                    ray.cancel(reference, force=False)

    def close(self) -> None:
        for actor in (*self._actors.values(), *self._starting.values()):
            with contextlib.suppress(RayError):
                ray.kill(actor)
        self._actors.clear()
        self._starting.clear()
        self._joining.clear()
        self._bulk = None
        if self._own and ray.is_initialized():
            ray.shutdown()

    def _resources(self, device: str) -> dict[str, Any]:
        gpus = self._compute.gpus_per_worker
        if gpus == "auto":
            gpus = 1.0 if device.startswith("cuda") else 0.0
        request = {"num_cpus": self._compute.cpus_per_worker, "num_gpus": gpus}
        nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        if not any(node.get("CPU", 0) >= request["num_cpus"] and node.get("GPU", 0) >= gpus for node in nodes):
            have = ", ".join(f"{n.get('CPU', 0):g} CPU / {n.get('GPU', 0):g} GPU" for n in nodes)
            raise BackendError(
                f"no node can hold one worker: it asks for {request['num_cpus']:g} CPU and {gpus:g} GPU, the nodes "
                f"have {have}. Lower compute.cpus_per_worker or compute.gpus_per_worker."
            )
        return request

    def _target(self) -> int:
        if isinstance(self._compute.workers, int):
            return self._compute.workers
        total = 0
        for node in ray.nodes():
            if node["Alive"]:
                fits = [
                    int(node["Resources"].get(kind, 0) / need)
                    for kind, need in (("CPU", self._request["num_cpus"]), ("GPU", self._request["num_gpus"]))
                    if need
                ]
                total += min(fits)
        return max(1, total)

    def _start_actor(self) -> None:
        actor = ray.remote(Actor).options(max_restarts=0, max_task_retries=0, **self._request)
        handle = actor.remote(self._paths)
        number = self._count
        self._count += 1
        self._starting[number] = handle
        self._joining[handle.load.remote(*self._source, [self._bulk])] = number

    def _join(self, reference: Any, scheduler: Scheduler) -> None:
        number = self._joining.pop(reference)
        handle = self._starting.pop(number)
        try:
            ray.get(reference)
        except LOST as error:
            raise BackendError(f"worker {number} died while it loaded the parent: {error}") from error
        except RayTaskError as error:
            raise _own_error(error) from error
        self._actors[number] = handle
        scheduler.join(number)

    def _feed(self, scheduler: Scheduler, worker: int, job: Job, running: dict[Any, Assignment]) -> None:
        while scheduler.running_on(worker) < IN_FLIGHT:
            assignment = scheduler.take(worker)
            if assignment is None:
                return
            payload = pickle.dumps(job.unit(assignment.shard, assignment.items), protocol=5)
            self.work.units += 1
            self.work.bytes_to_workers += len(payload)
            running[self._actors[worker].run.remote(payload)] = assignment

    def _collect(self, reference: Any, scheduler: Scheduler, running: dict[Any, Assignment]) -> Iterator[Outcome]:
        assignment = running.pop(reference, None)
        if assignment is None:
            return
        try:
            report = ray.get(reference)
        except LOST as error:
            yield from self._replace(assignment, scheduler, running, str(error))
            return
        except RayTaskError as error:
            raise _own_error(error) from error
        if scheduler.done(assignment.number, report.seconds):
            for item, value in zip(assignment.items, report.values, strict=True):
                yield Outcome(assignment.shard, item, value)

    def _replace(
        self, assignment: Assignment, scheduler: Scheduler, running: dict[Any, Assignment], reason: str
    ) -> Iterator[Outcome]:
        """The worker is gone: another takes its place, its units are handed out again."""
        given_up = scheduler.lost(assignment.number)
        worker = assignment.worker
        if worker in self._actors:
            del self._actors[int(str(worker))]
            for other in [ref for ref, unit in running.items() if unit.worker == worker]:
                del running[other]
            scheduler.leave(worker)
            self._start_actor()
        self.work.retries += 1
        for shard, item in given_up:
            yield Outcome(shard, item, failure=f"killed its worker again and again: {reason.splitlines()[0]}")


def _own_error(error: RayTaskError) -> EvorayError:
    """What the worker raised, as EvoRay's own error (Ray wraps it, with a remote stack trace)."""
    cause = error.cause
    if isinstance(cause, EvorayError):
        return cause
    return EvaluationError(f"a worker raised {type(cause).__name__}: {cause}")
