"""``evoray serve`` on Ray Serve: replicas of a predictor behind HTTP. This and backends/ray.py alone import Ray.

Serve's proxy takes connections and hands requests to replicas; a replica reads, refuses and answers them
(``evoray/serving``), and lets those that come together share a batch. One that dies takes with it the requests that it
held; the controller starts another, and the others answer meanwhile.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import secrets
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

from evoray.errors import BackendError, UsageError
from evoray.runtime.reading import reason_of, shown

EXTRA = 'evoray serve needs the extra serve. Run: pip install "evoray[serve]"'
NAME, TALLY = "evoray", "counts"
ANSWERED = 10_000
"""Requests that Serve lets wait for one replica; the door refuses before that."""


@dataclass(frozen=True)
class Server:
    """How it is reached, and by how many it answers.

    batch: records that share one at most; wait: seconds that the first of them waits for others. timeout: seconds
    after which the proxy gives a request up. gpus: of each replica; a share of one where several have to do with it.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    replicas: int = 1
    batch: int = 32
    wait: float = 0.004
    timeout: float = 65.0
    gpus: float = 0.0

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


class Service(Protocol):
    """What is sent to each replica and opened there (``evoray.serving.service.Service``)."""

    def open(self) -> Any:
        """What has counts, and makes a door and a batch's answers."""
        ...


@contextmanager
def serving(service: Service, server: Server) -> Iterator[None]:
    """The server, answering, for as long as the block lasts; afterwards nothing of it is left.

    Raises:
        UsageError: the extra is missing. BackendError: Ray, or the server on it, could not be started.
    """
    _start_ray(server)
    from ray import serve

    try:
        logging.getLogger("ray.serve").setLevel(logging.ERROR)  # its lines about every request are in its logs
        options = serve.HTTPOptions(
            host=server.host,
            port=server.port,
            request_timeout_s=server.timeout,
            location="HeadOnly",
        )
        serve.start(http_options=options)
        serve.run(_application(serve, service, server), name=NAME, route_prefix="/")
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
    """What all replicas count, those that died too: one small actor."""

    def __init__(self) -> None:
        self._counts: dict[int, Any] = {}

    def add(self, pid: int, counts: Any) -> list[Any]:
        """Takes one replica's counts since it began, and gives everybody's."""
        self._counts[pid] = counts
        return list(self._counts.values())

    def pids(self) -> list[int]:
        return [pid for pid in self._counts if os.path.exists(f"/proc/{pid}")]


class Replica:
    """One service: its door, and what lets requests share a batch."""

    def __init__(self, service: Service, server: Server, tally: Any) -> None:
        from ray import serve

        self._opened, self._tally = service.open(), tally
        self._door = self._opened.door(self._predict, self._others)
        self._batched = serve.batch(max_batch_size=server.batch, batch_wait_timeout_s=server.wait)(self._answers)
        self._telling = asyncio.get_running_loop().create_task(self._tell())

    async def __call__(self, request: Any) -> Any:
        return await self._door(request)

    async def _predict(self, record: Any, top: int) -> Any:
        return await self._batched((record, top))

    async def _answers(self, asked: list[Any]) -> list[Any]:
        return await asyncio.to_thread(self._opened.answers, asked)

    async def _others(self, counts: Any) -> list[Any]:
        found: list[Any] = await self._tally.add.remote(os.getpid(), counts)
        return found

    async def _tell(self) -> None:
        """What a replica counted is known a second later, should it die."""
        while True:
            with contextlib.suppress(Exception):
                await self._others(self._opened.counts)
            await asyncio.sleep(1)


def _application(serve: Any, service: Service, server: Server) -> Any:
    import ray

    tally = ray.remote(Tally).options(num_cpus=0, name=TALLY, namespace=NAME).remote()
    deployed = serve.deployment(
        Replica,
        name=NAME,
        num_replicas=server.replicas,
        max_ongoing_requests=ANSWERED,
        ray_actor_options={"num_cpus": 1, "num_gpus": server.gpus},
        graceful_shutdown_timeout_s=3,
        graceful_shutdown_wait_loop_s=0.2,
        health_check_period_s=2,
        health_check_timeout_s=10,
    )
    return deployed.bind(service, server, tally)


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


def _stop() -> None:
    import ray
    from ray import serve

    with contextlib.suppress(Exception):
        serve.shutdown()
    with contextlib.suppress(Exception):
        ray.shutdown()
