"""A real Ray head of this session alone: own ports, own HOME, own temporary directory, token authentication."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

import pytest

BIN = Path(sys.executable).parent
PORTS = (
    "port",
    "dashboard-port",
    "ray-client-server-port",
    "dashboard-agent-listen-port",
    "dashboard-agent-grpc-port",
    "metrics-export-port",
    "runtime-env-agent-port",
)


@dataclass(frozen=True)
class Head:
    """Where the cluster is, and the environment that a client of it needs."""

    dashboard: str
    environment: dict[str, str]

    def call(self, *arguments, **options):
        """A command of this environment's ``bin``, run to its end: exit code and both streams in ``stdout``."""
        return subprocess.run(
            [str(BIN / arguments[0]), *map(str, arguments[1:])],
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=240,
            **options,
        )

    def start(self, *arguments, **options):
        return subprocess.Popen(
            [str(BIN / arguments[0]), *map(str, arguments[1:])],
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            **options,
        )


def free_ports(count):
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


@pytest.fixture(scope="session")
def head():
    """``ray start --head --block`` with a token; ended by the process ids of what it started, and nothing else."""
    root = Path(tempfile.mkdtemp(prefix="er", dir="/tmp"))  # Ray's socket paths must stay under 107 characters
    ports = dict(zip(PORTS, free_ports(len(PORTS)), strict=True))
    environment = {
        **{key: value for key, value in os.environ.items() if not key.startswith("RAY_")},
        "HOME": str(root / "home"),
        "PATH": f"{BIN}:{os.environ['PATH']}",
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": secrets.token_hex(32),
        "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
        "RAY_USAGE_STATS_ENABLED": "0",
    }
    (root / "home").mkdir()
    options = ["--head", "--block", "--num-cpus", "2", "--node-ip-address", "127.0.0.1", "--temp-dir", str(root / "t")]
    options += ["--dashboard-host", "127.0.0.1", "--min-worker-port", "0", "--max-worker-port", "0"]
    options += [word for name, port in ports.items() for word in (f"--{name}", str(port))]
    with open(root / "head.log", "wb") as log:
        process = subprocess.Popen(
            [str(BIN / "ray"), "start", *options], env=environment, stdout=log, stderr=log, start_new_session=True
        )
    try:
        dashboard = f"http://127.0.0.1:{ports['dashboard-port']}"
        wait_for(lambda: process.poll() is None and answers(dashboard), 120, root / "head.log")
        yield Head(dashboard, environment)
    finally:
        process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(30)
        for pid in ours(root):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        process.wait(30)
        shutil.rmtree(root, ignore_errors=True)


def answers(dashboard):
    """The Jobs API is up (a 401 is an answer, as no token is sent)."""
    try:
        urllib.request.urlopen(f"{dashboard}/api/jobs/", timeout=5).close()
    except urllib.error.HTTPError as error:
        return error.code == 401
    except OSError:
        return False
    return False


def wait_for(condition, seconds, log):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, Path(log).read_text()[-3000:]
        time.sleep(0.2)


def ours(root):
    """Processes whose command line or HOME names this session's directory."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            with contextlib.suppress(OSError):
                if f"{root}/".encode() in (entry / "cmdline").read_bytes() + (entry / "environ").read_bytes():
                    yield int(entry.name)
