"""On Ray: the only module (with serve.py) that imports it.

Actors are never restarted by Ray: ``driver.py`` owns the work, this module is its fleet. A source's large part is
put into the object store once and read there by every worker of a node; units travel as a few bytes (``wire.py``).
"""

from __future__ import annotations

import contextlib
import dataclasses
import math
import os
import pickle
import secrets
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

# A driver under `uv run` would make Ray rebuild the environment for every worker; they run in this one.
os.environ.setdefault("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")
CLUSTER_FILE = os.path.join(os.environ.get("RAY_TMPDIR", "/tmp"), "ray", "ray_current_cluster")


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

import ray
from ray.exceptions import (
    ActorDiedError,
    ActorUnavailableError,
    NodeDiedError,
    ObjectLostError,
    OutOfMemoryError,
    RayError,
    RayTaskError,
    TaskCancelledError,
    WorkerCrashedError,
)
from ray.util.metrics import Counter, Gauge

from evoray.backends.base import Bulk, Job, Outcome, Source, Work
from evoray.backends.driver import Driver
from evoray.backends.fleet import Cause, Event, Finished, Lost, Ready
from evoray.backends.metrics import METRICS, Metric
from evoray.backends.patience import twice, waiting
from evoray.backends.worker import Loaded, NotInitialisedError, Worker, own_error
from evoray.errors import BackendError, NotStartedError
from evoray.runtime import logs
from evoray.runtime.auto import given
from evoray.runtime.reading import reason_of

if TYPE_CHECKING:
    from evoray.config import ComputeConfig

UNBOUNDED = 2**20
"""How many workers that ask for nothing fit on a node (``evoray bench scaling``)."""

Request = dict[str, Any]
"""What one actor asks for: num_cpus, num_gpus, and accelerator_type where one is named."""


class Actor(Worker):
    """A worker as Ray's actor; the large part of a source comes as a list with its reference, uncopied."""

    def __init__(self, json_lines: bool) -> None:
        logs.set_up(json_lines)
        super().__init__(lambda references: ray.get(references[0]))

    def load(self, key: str, paths: Sequence[str], source: bytes, bulk: Any) -> Loaded:
        loaded = super().load(key, paths, source, bulk)
        return dataclasses.replace(loaded, node=ray.get_runtime_context().get_node_id())


def connect(compute: ComputeConfig) -> bool:
    """Joins the cluster that RAY_ADDRESS names, or one running here; else starts one. True when it is our own."""
    if ray.is_initialized():
        return False
    if os.environ.get("RAY_ADDRESS") or os.path.exists(CLUSTER_FILE):
        with contextlib.suppress(ConnectionError):
            _init(address="auto", **_json_lines())
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
    start_local(max(cores, math.ceil(wanted)))


def start_local(cpus: int) -> None:
    """A Ray of this process alone, beside any that runs here. Raises NotStartedError."""
    _init(address="local", num_cpus=cpus, include_dashboard=False, configure_logging=True, **_json_lines())


def _init(address: str, **how: Any) -> None:
    """Raises NotStartedError for whatever keeps an embedded Ray from starting, in two tries where it is slow;
    BackendError for what keeps it from joining; ConnectionError where no cluster answers."""

    def start(seconds: float) -> None:
        with waiting(ray._private.services, seconds):
            ray.init(address=address, log_to_driver=False, logging_level="warning", **how)

    own = address == "local"
    try:
        twice(start, _clear) if own else start(0.0)
    except Exception as error:  # of many kinds: a folder that cannot be written, a port, a process that died
        if isinstance(error, ConnectionError) and not own:
            raise
        _clear()
        what = "an embedded Ray could not be started" if own else "the Ray cluster could not be joined"
        raise (NotStartedError if own else BackendError)(
            f'{what} ({reason_of(error)}). Try again, or set compute.backend = "local", which needs no Ray. Its own '
            f"words are in {os.path.dirname(CLUSTER_FILE)}/session_latest/logs; it needs room there and in /dev/shm."
        ) from error


def _clear() -> None:
    with contextlib.suppress(Exception):
        ray.shutdown()


def _json_lines() -> dict[str, Any]:
    """Ray writes its own lines and ours as JSON, on the driver and on the workers, where the user asks for them."""
    return {"logging_config": ray.LoggingConfig(encoding="JSON", log_level="INFO")} if logs.wanted() else {}


class RaySink:
    """Gives ``backends/metrics.py``'s values to Ray's exporter, which Prometheus reads on every node."""

    def __init__(self) -> None:
        kinds = {"counter": Counter, "gauge": Gauge}
        self._made = {
            metric: kinds[metric.kind](metric.name, metric.description, ("run", *([metric.tag] if metric.tag else [])))
            for metric in METRICS
        }

    def add(self, metric: Metric, value: float, tags: dict[str, str]) -> None:
        self._made[metric].inc(value, tags)

    def set(self, metric: Metric, value: float, tags: dict[str, str]) -> None:
        self._made[metric].set(value, tags)


class RayFleet:
    """Actors as the driver's fleet; translates what Ray raises."""

    def __init__(self) -> None:
        self.spare = True
        """Whether to ask for more actors than fit: not on a cluster of our own, which never grows."""
        self.request: Request = {}
        self._supply: tuple[Any, ...] = ()
        self._actors: dict[int, Any] = {}
        self._nodes: dict[int, str] = {}
        self._calls: dict[Any, tuple[int, int | None]] = {}
        self._units: dict[int, Any] = {}

    def supply(self, source: Source, bulk: Any) -> None:
        """What workers load from now on; ``bulk`` is a reference to the large part."""
        self._supply = (source.key, source.paths, pickle.dumps(source, protocol=5), [bulk])

    def start(self, worker: int) -> None:
        actor = ray.remote(Actor).options(max_restarts=0, max_task_retries=0, **self.request)
        self._actors[worker] = actor.remote(logs.wanted())
        self.load(worker)

    def load(self, worker: int) -> None:
        for reference in [one for one, call in self._calls.items() if call == (worker, None)]:
            del self._calls[reference]
        self._calls[self._actors[worker].load.remote(*self._supply)] = (worker, None)

    def send(self, worker: int, job: int, unit: int, preamble: bytes | None, payload: bytes) -> None:
        reference = self._actors[worker].run.remote(job, preamble, payload)
        self._calls[reference] = (worker, unit)
        self._units[unit] = reference

    def cancel(self, unit: int) -> None:
        if unit in self._units:
            with contextlib.suppress(RayError):
                ray.cancel(self._units[unit], force=False)

    def forget(self) -> None:
        for unit in list(self._units):
            self.cancel(unit)
            del self._calls[self._units.pop(unit)]

    def stop(self, worker: int) -> None:
        for reference, (whose, unit) in list(self._calls.items()):
            if whose == worker:
                del self._calls[reference]
                self._units.pop(unit or 0, None)
        self._nodes.pop(worker, None)
        if (actor := self._actors.pop(worker, None)) is not None:  # of two losses heard at once the second finds none
            with contextlib.suppress(RayError):
                ray.kill(actor)

    def wait(self, seconds: float) -> list[Event]:
        references = list(self._calls)
        if not references:
            time.sleep(seconds)
            return []
        done, _ = ray.wait(references, num_returns=1, timeout=seconds)
        if done:
            done, _ = ray.wait(references, num_returns=len(references), timeout=0)
        return [self._event(reference) for reference in done]

    def leaving(self) -> set[int]:
        draining = draining_nodes()
        return {worker for worker, node in self._nodes.items() if node in draining}

    def room(self) -> tuple[int, int]:
        draining = draining_nodes()
        here = [fits(self.request, node["Resources"]) for node in live_nodes() if node["NodeID"] not in draining]
        more = max([*here, *(fits(self.request, shape) for shape in node_types()), 1]) if self.spare else 0
        return sum(here), more

    def _event(self, reference: Any) -> Event:
        worker, unit = self._calls.pop(reference)
        if unit is not None:
            del self._units[unit]
        try:
            value = ray.get(reference)
        except RayTaskError as error:
            if isinstance(error.cause, NotInitialisedError):
                return Lost(worker, unit, Cause.MESSAGE)
            raise own_error(error.cause) from error  # Ray wraps it, with a remote stack trace
        except RayError as error:
            return Lost(worker, unit, self._cause(error, worker), _reason(error))
        if unit is None:
            self._nodes[worker] = value.node
            return Ready(worker, value)
        return Finished(worker, unit, value)

    def _cause(self, error: RayError, worker: int) -> Cause:
        """BackendError for what doing it again cannot mend."""
        if isinstance(error, TaskCancelledError):
            return Cause.CANCELLED
        if isinstance(error, OutOfMemoryError):
            return Cause.MEMORY
        if isinstance(error, ActorUnavailableError | ObjectLostError):
            return Cause.MESSAGE
        if isinstance(error, NodeDiedError):
            return Cause.NODE
        if not isinstance(error, ActorDiedError | WorkerCrashedError):
            raise BackendError(f"Ray: {_reason(error)}") from error
        text = str(error)
        if "low on memory" in text:
            return Cause.MEMORY
        gone = self._nodes.get(worker) not in (None, *(node["NodeID"] for node in live_nodes()))
        return Cause.NODE if gone or "node has died" in text or getattr(error, "preempted", False) else Cause.PROCESS


def seen() -> list[dict[str, float]]:
    """What the nodes of a cluster have that is there or addressed, joined for this question; none is started."""
    _init(address="auto")
    try:
        return [dict(node["Resources"]) for node in live_nodes()]
    finally:
        ray.shutdown()


def live_nodes() -> list[dict[str, Any]]:
    return [node for node in ray.nodes() if node["Alive"]]


def draining_nodes() -> set[str]:
    """Ids of nodes that are about to go away. The adapter over what Ray has no public name for, like the next one."""
    return set(ray._private.state.state.get_draining_nodes())


def node_types() -> list[dict[str, float]]:
    """Resources of each kind of node that an autoscaler may start; none where there is no autoscaler."""
    config = ray._private.state.state.get_cluster_config()
    return [] if config is None else [dict(group.resources) for group in config.node_group_configs]


def fits(request: Request, resources: dict[str, float]) -> int:
    """How many actors of a request a node with these resources holds."""
    kind = request.get("accelerator_type")
    if kind and not resources.get(f"accelerator_type:{kind}"):
        return 0
    needs = (("CPU", request["num_cpus"]), ("GPU", request["num_gpus"]))
    return min((int(resources.get(name, 0) / need + 1e-9) for name, need in needs if need), default=UNBOUNDED)


def check_possible(request: Request) -> None:
    """Raises BackendError when no node, present or to come, can hold one actor."""
    nodes, types = [node["Resources"] for node in live_nodes()], node_types()
    if any(fits(request, shape) for shape in (*nodes, *types)):
        return
    asked = f"{request['num_cpus']:g} CPU and {request['num_gpus']:g} GPU"
    if request.get("accelerator_type"):
        asked += f" of type {request['accelerator_type']}"
    grow = f", and those it may start {_listed(types)}" if types else ""
    raise BackendError(
        f"no node can hold one worker: it asks for {asked}, the cluster's nodes have {_listed(nodes)}{grow}. "
        "Lower compute.cpus_per_worker or compute.gpus_per_worker."
    )


def _listed(shapes: Sequence[dict[str, float]]) -> str:
    return ", ".join(sorted({f"{s.get('CPU', 0):g} CPU / {s.get('GPU', 0):g} GPU" for s in shapes}))


def _reason(error: RayError) -> str:
    """What Ray says, in one line: the last line that is no name of a field."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    found = next((line for line in reversed(lines) if "=" not in line and ": " not in line[:20]), lines[0])
    return found.split(" Some common causes")[0][:300]


class RayBackend:
    """Actors on whatever the cluster has; see the module's docstring."""

    def __init__(self, compute: ComputeConfig) -> None:
        self.note: Callable[[str], None] = lambda text: None
        self.on_workers: Callable[[Mapping[str, int]], None] = lambda states: None
        self._compute = compute
        self._own = connect(compute)
        logs.set_up()
        self._fleet = RayFleet()
        self._fleet.spare = not self._own
        wanted = given(compute.workers)
        self._driver = Driver(
            self._fleet,
            wanted,
            lambda text: self.note(text),
            sink=RaySink(),
            on_workers=lambda states: self.on_workers(states),
        )
        self._source = ""
        self._bulk: tuple[str, Any] = ("", None)
        """The large part's digest, and its reference: it stays on the nodes while the next source has the same."""

    @property
    def work(self) -> Work:
        return self._driver.work

    def has_gpu(self) -> bool:
        shapes = [node["Resources"] for node in live_nodes()] + node_types()
        return any(shape.get("GPU", 0) > 0 for shape in shapes)

    def open(self, source: Source, bulk: Bulk) -> None:
        request = self._resources(source.device)
        if request != self._fleet.request:
            check_possible(request)
            self._driver.dismiss()
            self._fleet.request, self._source = request, ""
        resend, fresh = bulk.key != self._bulk[0] or self._bulk[1] is None, source.key != self._source
        if resend:
            self._bulk = (bulk.key, ray.put(bulk.value))
        self._source = source.key
        self._fleet.supply(source, self._bulk[1])
        self._driver.enlist(Work(parent_bytes=bulk.nbytes), fresh=fresh, resend=resend)

    def run(self, job: Job) -> Iterator[Outcome]:
        return self._driver.run(job)

    def close(self) -> None:
        if ray.is_initialized():
            self._driver.dismiss()
            if self._own:
                ray.shutdown()
        self._bulk = ("", None)

    def _resources(self, device: str) -> Request:
        gpus = given(self._compute.gpus_per_worker)
        if gpus is None:
            gpus = 1.0 if device.startswith("cuda") else 0.0
        request: Request = {"num_cpus": self._compute.cpus_per_worker, "num_gpus": gpus}
        if self._compute.accelerator:
            request["accelerator_type"] = self._compute.accelerator
        return request
