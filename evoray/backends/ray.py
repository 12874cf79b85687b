"""On Ray: the only module (with serve.py) that imports it.

The driver owns the work: actors are never restarted by Ray, a unit lost with its actor goes back to the scheduler,
and a result that arrives twice counts once. The parent travels as one flat buffer, put into the object store once
and read there by every worker of a node; children travel as recipes.
"""

from __future__ import annotations

import contextlib
import io
import os
import pickle
import secrets
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

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
import torch
from ray import cloudpickle
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
from torch import nn

from evoray.backends.base import Job, Outcome, Work
from evoray.config import ComputeConfig
from evoray.errors import BackendError, EvaluationError, EvorayError
from evoray.evaluation import Evaluator, Program
from evoray.scheduling import Assignment, Scheduler

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


@dataclass(frozen=True)
class PackedModel:
    """A module without its tensors, and all its tensors in one uint8 buffer (zero-copy in the object store)."""

    skeleton: bytes
    flat: np.ndarray
    tensors: tuple[tuple[str, tuple[int, ...], int, bool], ...]
    """(dtype, shape, byte offset, is a Parameter) of each, in pickling order."""


class _TensorPickler(cloudpickle.CloudPickler):  # type: ignore[misc]
    """Pickles a module, leaving every tensor out by number; a tied tensor has one number."""

    def __init__(self, file: io.BytesIO) -> None:
        super().__init__(file)
        self.tensors: list[torch.Tensor] = []
        self._numbers: dict[int, int] = {}

    def persistent_id(self, item: Any) -> int | None:
        if not isinstance(item, torch.Tensor):
            return None
        if id(item) not in self._numbers:
            self._numbers[id(item)] = len(self.tensors)
            self.tensors.append(item)
        return self._numbers[id(item)]


class _TensorUnpickler(pickle.Unpickler):
    def __init__(self, file: io.BytesIO, tensors: list[torch.Tensor]) -> None:
        super().__init__(file)
        self._tensors = tensors

    def persistent_load(self, number: int) -> torch.Tensor:
        return self._tensors[number]


def pack_model(model: nn.Module) -> PackedModel:
    """The module as a skeleton and one buffer; each tensor starts at a multiple of 64 bytes."""
    file = io.BytesIO()
    pickler = _TensorPickler(file)
    pickler.dump(model)
    table, offset = [], 0
    for tensor in pickler.tensors:
        dtype = str(tensor.dtype).removeprefix("torch.")
        table.append((dtype, tuple(tensor.shape), offset, isinstance(tensor, nn.Parameter)))
        offset += -(-tensor.nbytes // 64) * 64
    flat = np.empty(offset, dtype=np.uint8)
    for tensor, (_, _, start, _) in zip(pickler.tensors, table, strict=True):
        raw = tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy()
        flat[start : start + raw.size] = raw
    return PackedModel(file.getvalue(), flat, tuple(table))


def unpack_model(packed: PackedModel) -> nn.Module:
    """The module with tensors of its own: the object store's copy is shared by the node and never written."""
    tensors: list[torch.Tensor] = []
    for name, shape, start, is_parameter in packed.tensors:
        dtype = getattr(torch, name)
        size = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
        own = torch.from_numpy(packed.flat[start : start + size].copy()).view(dtype).reshape(shape)
        tensors.append(nn.Parameter(own, requires_grad=False) if is_parameter else own)
    model = _TensorUnpickler(io.BytesIO(packed.skeleton), tensors).load()
    assert isinstance(model, nn.Module)
    return model.eval()


class Worker:
    """The actor: keeps model and shards between units and between jobs."""

    def __init__(self, paths: list[str]) -> None:
        for path in paths:
            if path not in sys.path and os.path.isdir(path):
                sys.path.insert(0, path)
        self._evaluator: Evaluator | None = None

    def load(self, packed: list[Any], program: Program) -> str:
        """Builds the evaluator; ``packed`` holds the object reference, so that Ray does not copy it here."""
        model = unpack_model(ray.get(packed[0]))
        self._evaluator = Evaluator(model, program)
        return str(ray.get_runtime_context().get_node_id())

    def run(self, unit: bytes) -> tuple[list[Any], float]:
        assert self._evaluator is not None
        started = time.perf_counter()
        values = pickle.loads(unit).run(self._evaluator)
        return values, time.perf_counter() - started


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
        self._packed: Any = None
        self._program: Program | None = None
        self._request: dict[str, Any] = {}

    def has_gpu(self) -> bool:
        return float(ray.cluster_resources().get("GPU", 0)) > 0

    def open(self, model: nn.Module, program: Program) -> None:
        packed = pack_model(model)
        self._program = program
        self._packed = ray.put(packed)
        self.work.bytes_to_workers += packed.flat.nbytes + len(packed.skeleton)
        self._request = self._resources(program)
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
        self._packed = None
        if self._own and ray.is_initialized():
            ray.shutdown()

    def _resources(self, program: Program) -> dict[str, Any]:
        gpus = self._compute.gpus_per_worker
        if gpus == "auto":
            gpus = 1.0 if program.device.startswith("cuda") else 0.0
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
        assert self._program is not None
        actor = ray.remote(Worker).options(max_restarts=0, max_task_retries=0, **self._request)
        paths = [self._program.config_dir] if self._program.config_dir else []
        handle = actor.remote(paths)
        number = self._count
        self._count += 1
        self._starting[number] = handle
        self._joining[handle.load.remote([self._packed], self._program)] = number

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
            values, seconds = ray.get(reference)
        except LOST as error:
            yield from self._replace(assignment, scheduler, running, str(error))
            return
        except RayTaskError as error:
            raise _own_error(error) from error
        if scheduler.done(assignment.number, seconds):
            for item, value in zip(assignment.items, values, strict=True):
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
