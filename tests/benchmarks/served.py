"""A server of a run as a user starts it, asked by many at a time: what the benchmark and the slow test share."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import httpx

STARTING = 300
"""Seconds: on one busy core Ray, Serve and a replica's torch take two minutes."""
TOKEN = "a-token-of-the-benchmark"
HEADERS = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "image/png"}


@dataclass(frozen=True)
class Asked:
    """One request: begun and ended (perf_counter), and its status; 0 where the connection broke."""

    begun: float
    ended: float
    status: int

    @property
    def seconds(self) -> float:
        return self.ended - self.begun


@dataclass
class Running:
    """A server that answers. pid: of the command."""

    pid: int
    url: str
    process: subprocess.Popen[bytes]

    def children(self) -> list[int]:
        """All processes below the command, found by their parents."""
        parents = {int(one.name): _parent(one) for one in Path("/proc").iterdir() if one.name.isdigit()}
        return [one for one in parents if one != self.pid and self.pid in _above(one, parents)]

    def replicas(self) -> list[int]:
        return [one for one in self.children() if _title(one).startswith("ray::ServeReplica")]

    def stop(self, number: int = signal.SIGINT) -> tuple[int, list[int]]:
        """The command's exit code, and those of its processes that are still there."""
        below = self.children()
        os.kill(self.pid, number)
        code = self.process.wait(120)
        deadline = time.monotonic() + 10
        while (left := [one for one in below if _title(one)]) and time.monotonic() < deadline:
            time.sleep(0.2)
        return code, left


@contextmanager
def served(run: str, *options: str) -> Iterator[Running]:
    """``evoray serve`` on a free port, ready."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as errors:
        command = [sys.executable, "-m", "evoray", "serve", run, "--port", "0", "--token", TOKEN, "--json", *options]
        process = subprocess.Popen(command, stdout=out, stderr=errors, start_new_session=True)
        try:
            yield Running(process.pid, _first_line(process, out, errors)["url"], process)
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait(120)


def ask(
    url: str, bodies: Sequence[bytes], at_a_time: int, after: Callable[[int], None] = lambda done: None
) -> list[Asked]:
    """Every body once, in order, so many at a time; ``after`` is told how many are answered."""

    async def one(client: httpx.AsyncClient, body: bytes, turns: asyncio.Semaphore, found: list[Asked]) -> None:
        async with turns:
            begun = time.perf_counter()
            try:
                status = (await client.post("predict", content=body, headers=HEADERS)).status_code
            except httpx.HTTPError:
                status = 0
            found.append(Asked(begun, time.perf_counter(), status))
            after(len(found))

    async def main() -> list[Asked]:
        found: list[Asked] = []
        turns = asyncio.Semaphore(at_a_time)
        limits = httpx.Limits(max_connections=at_a_time)
        async with httpx.AsyncClient(base_url=url, timeout=60, limits=limits, trust_env=False) as client:
            await asyncio.gather(*(one(client, body, turns, found) for body in bodies))
        return found

    return asyncio.run(main())


def _first_line(process: subprocess.Popen[bytes], out: IO[bytes], errors: IO[bytes]) -> dict[str, Any]:
    deadline = time.monotonic() + STARTING
    while time.monotonic() < deadline and process.poll() is None:
        out.seek(0)
        if (line := out.readline()).endswith(b"\n"):
            found: dict[str, Any] = json.loads(line)
            return found
        time.sleep(0.2)
    errors.seek(0)
    raise RuntimeError(f"the server did not start: {errors.read().decode()[-2000:]}")


def _parent(process: Path) -> int:
    try:
        return int((process / "stat").read_text().rpartition(")")[2].split()[1])
    except (OSError, IndexError):
        return 0


def _above(pid: int, parents: dict[int, int]) -> Iterator[int]:
    while pid := parents.get(pid, 0):
        yield pid


def _title(pid: int) -> str:
    """A process's command line; empty for one that is gone, or dead and not yet waited for."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    except OSError:
        return ""
