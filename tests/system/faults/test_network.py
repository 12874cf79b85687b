"""A node behind a network of its own, and the network is cut.

Driver and head are in one network namespace, the node in another; nothing else can be reached from either. Needs the
right to make them (root, or CAP_NET_ADMIN and CAP_SYS_ADMIN); where the machine does not give it, this cannot be
tested, and the test says so.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from driving import drive, finish, result_in, wait_for
from scenes import HEALTH, assert_same

import evoray.backends.ray  # noqa: F401  how clusters of this process are secured

pytestmark = [pytest.mark.slow, pytest.mark.timeout(500)]

NEAR, FAR = (f"evr{os.getpid() % 100_000}{side}" for side in "ab")
ADDRESS = {NEAR: "10.231.7.1", FAR: "10.231.7.2"}


def ip(*arguments, check=True):
    return subprocess.run(["ip", *arguments], check=check, capture_output=True, text=True)


def inside(name):
    return ("ip", "netns", "exec", name)


@pytest.fixture
def networks():
    """Two network namespaces, joined by a pair of virtual cards that have the namespaces' names."""
    if shutil.which("ip") is None or ip("netns", "add", NEAR, check=False).returncode:
        pytest.skip("this machine does not let tests make network namespaces")
    try:
        ip("netns", "add", FAR)
        ip("-n", NEAR, "link", "add", NEAR, "type", "veth", "peer", "name", FAR, "netns", FAR)
        for name, address in ADDRESS.items():
            ip("-n", name, "addr", "add", f"{address}/24", "dev", name)
            ip("-n", name, "link", "set", name, "up")
            ip("-n", name, "link", "set", "lo", "up")
        yield
    finally:
        for name in ADDRESS:
            for pid in pids(name):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            ip("netns", "del", name, check=False)


def pids(name):
    return {int(pid) for pid in ip("netns", "pids", name, check=False).stdout.split()}


@pytest.fixture
def settings(networks):
    """A head with one CPU in the one namespace, a node with one CPU in the other; what a client of them needs."""
    folder = Path(tempfile.mkdtemp(prefix="evn", dir="/tmp"))
    settings = {**HEALTH, "RAY_TMPDIR": str(folder)}
    head = f"{ADDRESS[NEAR]}:6379"
    started = []
    for name, role in (
        (NEAR, ("--head", "--port=6379", "--include-dashboard=false")),
        (FAR, (f"--address={head}",)),
    ):
        ray = (str(Path(sys.executable).with_name("ray")), "start", *role, "--num-cpus=1", "--block")
        ray += (f"--node-ip-address={ADDRESS[name]}", f"--object-store-memory={80 * 2**20}")
        log = folder / f"{name}.log"
        with open(log, "wb") as file:
            command = [*inside(name), *ray]
            started.append(subprocess.Popen(command, env=os.environ | settings, stdout=file, stderr=file))
        deadline = time.monotonic() + 90
        while "Ray runtime started" not in log.read_text():
            assert started[-1].poll() is None and time.monotonic() < deadline, log.read_text()
            time.sleep(0.2)
    yield settings | {"RAY_ADDRESS": head}
    for process in started:
        process.kill()
        process.wait()
    shutil.rmtree(folder, ignore_errors=True)


def test_a_node_is_cut_off(settings, scene, reference, tmp_path):
    """Nothing gets through any more, and no connection is closed: the units of that node are done by the other."""
    scene.clear()
    scene.slow(0.2)
    process = drive(scene, scene.config("ray"), tmp_path / "run", environment=settings, through=inside(NEAR))
    wait_for(process, lambda: len([one for one in scene.seen() if one.pid in pids(FAR)]) > 5)
    far = pids(FAR)
    ip("-n", FAR, "link", "set", FAR, "down")
    cut = time.time()
    scene.slow(0.05)
    code, errors = finish(process)
    assert code == 0, errors
    result = result_in(tmp_path / "run")
    assert_same(result, reference)
    assert result.summary["work"]["retries"] >= 1
    assert result.summary["work"]["nodes"] == 2
    assert [one for one in scene.seen() if one.at > cut and one.pid not in far]
