"""``evoray serve`` on Ray Serve: replicas of a predictor behind HTTP. This and backends/ray.py alone import Ray.

Serve's proxy takes connections and hands requests to replicas; a replica reads, refuses and answers them
(``evoray/serving``), and lets those that come together share a batch. One that dies takes with it the requests that it
held; the controller starts another, and the others answer meanwhile.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from evoray.errors import BackendError, UsageError
from evoray.runtime.reading import reason_of, shown
from evoray.serving.limits import Limits
from evoray.serving.metrics import Counts
from evoray.serving.plan import Plan

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

EXTRA = 'evoray serve needs the extra serve. Run: pip install "evoray[serve]"'
NAME, TALLY = "evoray", "counts"
ANSWERED = 10_000
"""Requests that Serve lets wait for one replica; the door refuses before that (``Limits.waiting``)."""


@dataclass(frozen=True)
class Server:
    """How it is reached, and by how many it answers. batch: pictures that share one at most; wait: seconds that the
    first of them waits for others. token: None lets everybody in."""

    host: str = "127.0.0.1"
    port: int = 8000
    token: str | None = None
    replicas: int = 1
    batch: int = 32
    wait: float = 0.004
    limits: Limits = field(default_factory=Limits)

    @property
    def url(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}/"


def free_port(host: str, port: int) -> int:
    """The port, or one that is free where 0 is asked for. Raises UsageError where it is taken, or no such address."""
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, socket.SOCK_STREAM) as one:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            one.bind(address)
            return int(one.getsockname()[1])
    except (OSError, UnicodeError) as error:
        raise UsageError(
            f"{shown(host)}:{port} cannot be listened on ({reason_of(error)}). Name another with --host and --port; "
            "--port 0 takes one that is free."
        ) from None


@contextmanager
def serving(plan: Plan, server: Server) -> Iterator[None]:
    """The server, answering, for as long as the block lasts; afterwards nothing of it is left.

    Raises:
        UsageError: the extra is missing. BackendError: Ray, or the server on it, could not be started.
    """
    _start_ray(server)
    from ray import serve

    try:
        _quiet(serve)
        options = serve.HTTPOptions(
            host=server.host,
            port=server.port,
            request_timeout_s=2 * server.limits.seconds + 5,
            location="HeadOnly",
        )
        serve.start(http_options=options)
        serve.run(_application(serve, plan, server), name=NAME, route_prefix="/")
    except Exception as error:
        _stop()
        raise BackendError(f"the server could not be started ({reason_of(error)}).") from error
    try:
        yield
    finally:
        _stop()


def until_stopped(ready: Callable[[], None]) -> None:
    """Calls ``ready``, then waits for Ctrl-C or SIGTERM."""
    stopped = threading.Event()
    before = {one: signal.signal(one, lambda *_: stopped.set()) for one in (signal.SIGINT, signal.SIGTERM)}
    try:
        ready()
        while not stopped.wait(0.5):  # a wait without an end is not interrupted by a signal everywhere
            pass
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def replica_pids() -> list[int]:
    """Processes that answer now; for tests and for who looks at a machine."""
    import ray

    return sorted(ray.get(ray.get_actor(TALLY, namespace=NAME).pids.remote()))


class Tally:
    """All replicas' counts, those that died too: one small actor."""

    def __init__(self) -> None:
        self._counts: dict[int, Counts] = {}

    def add(self, pid: int, counts: dict[str, Any]) -> list[dict[str, Any]]:
        """Takes one replica's counts since it began, and gives everybody's."""
        self._counts[pid] = Counts(**counts)
        return [asdict(one) for one in self._counts.values()]

    def pids(self) -> list[int]:
        return [pid for pid in self._counts if os.path.exists(f"/proc/{pid}")]


class Replica:
    """One predictor, its door, and what lets requests share a batch."""

    def __init__(self, plan: Plan, server: Server, token: bytes | None, tally: Any) -> None:
        import torch

        from evoray.serving.door import Door
        from evoray.serving.predictor import Predictor

        torch.set_num_threads(plan.threads)
        self._counts, self._tally = Counts(), tally
        self._predictor = Predictor(plan)
        self._door = Door(self._predictor, self._predict, server.limits, token, self._counts, self._others)
        from ray import serve

        self._batched = serve.batch(max_batch_size=server.batch, batch_wait_timeout_s=server.wait)(self._answers)
        self._told = asyncio.get_running_loop().create_task(self._tell())

    async def __call__(self, request: Request) -> Response:
        return await self._door(request)

    async def _predict(self, picture: Any, top: int) -> dict[str, Any]:
        found: dict[str, Any] = await self._batched((picture, top))
        return found

    async def _answers(self, asked: list[tuple[Any, int]]) -> list[dict[str, Any]]:
        self._counts.batch(len(asked))
        pictures, top = zip(*asked, strict=True)
        return await asyncio.to_thread(self._predictor.answers, pictures, top)

    async def _others(self, counts: Counts) -> Sequence[Counts]:
        return [Counts(**one) for one in await self._tally.add.remote(os.getpid(), asdict(counts))]

    async def _tell(self) -> None:
        """What a replica counted is known a second later, should it die."""
        while True:
            with contextlib.suppress(Exception):
                await self._tally.add.remote(os.getpid(), asdict(self._counts))
            await asyncio.sleep(1)


def _application(serve: Any, plan: Plan, server: Server) -> Any:
    import ray

    from evoray.serving.door import digest_of

    tally = ray.remote(Tally).options(num_cpus=0, name=TALLY, namespace=NAME).remote()
    deployed = serve.deployment(
        Replica,
        name=NAME,
        num_replicas=server.replicas,
        max_ongoing_requests=ANSWERED,
        ray_actor_options={"num_cpus": 1, "runtime_env": {"env_vars": {"OMP_NUM_THREADS": str(plan.threads)}}},
        graceful_shutdown_timeout_s=3,
        graceful_shutdown_wait_loop_s=0.2,
        health_check_period_s=2,
        health_check_timeout_s=10,
    )
    return deployed.bind(plan, server, digest_of(server.token), tally)


def require() -> None:
    """Raises UsageError where Ray Serve is not installed. Before Ray is imported: its secret, as of a run's own."""
    if "ray" not in sys.modules and "RAY_AUTH_MODE" not in os.environ:
        os.environ["RAY_AUTH_MODE"] = "token"
        os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
    try:
        import ray.serve  # noqa: F401
    except ImportError as error:
        raise UsageError(f"{EXTRA} ({reason_of(error)})") from None


def _start_ray(server: Server) -> None:
    """A Ray of this process alone, with a secret of its own; never one that others use."""
    require()
    from evoray.backends.ray import start_local

    start_local(max(server.replicas, os.cpu_count() or 1))


def _quiet(serve: Any) -> None:
    """Serve's own lines about every request are for its logs."""
    import logging

    logging.getLogger("ray.serve").setLevel(logging.ERROR)


def _stop() -> None:
    import ray
    from ray import serve

    with contextlib.suppress(Exception):
        serve.shutdown()
    with contextlib.suppress(Exception):
        ray.shutdown()
