"""What is done to a driver on this machine. Each returns how it was seen to have happened, or "" where it could not.

Real: signals, a full tmpfs, a directory that is moved away, bytes changed and cut on the disk, limits of memory that
the kernel enforces. At a seam: the slow disk (``drive.py`` makes every fsync wait), as none can be had on order.
"""

from __future__ import annotations

import json
import os
import random
import resource
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from disturbance.cases import Case
from disturbance.drivers import Driver
from disturbance.endings import unchecked
from disturbance.schedule import Fault

GROUPS = Path("/sys/fs/cgroup/memory")
PATIENCE_S = 60.0
"""What a driver has to notice a signal, or that it has no memory, in seconds on a busy machine."""


class Disk:
    """Where runs are written: a tmpfs of a few megabytes, or a plain folder where nothing can be mounted."""

    def __init__(self, path: Path, megabytes: int = 32) -> None:
        self.path = path
        path.mkdir(parents=True, exist_ok=True)
        command = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(path)]
        self.is_mounted = subprocess.run(command, capture_output=True, check=False).returncode == 0

    def fill(self) -> bool:
        """Whether nothing fits any more."""
        with open(self.path / "ballast", "ab", buffering=0) as file:
            for size in (2**20, 4096, 1):
                with suppress(OSError):
                    while file.write(bytes(size)) == size:
                        pass
        return os.statvfs(self.path).f_bavail == 0

    def free(self) -> None:
        (self.path / "ballast").unlink(missing_ok=True)

    def close(self) -> None:
        if self.is_mounted:
            subprocess.run(["umount", "-l", str(self.path)], check=False)


@dataclass
class Scene:
    """What a fault may touch: the driver, its run directory, the disk that is on, and the cached shards it reads."""

    driver: Driver
    run: Path
    disk: Disk
    case: Case
    cache: Path
    chance: random.Random
    nodes: Any = None
    """The cluster that the run is on, None for the local backend."""

    def rest(self, seconds: float) -> bool:
        """Waits, shorter where the driver ends before; whether it still lives."""
        deadline = time.monotonic() + seconds
        while self.driver.alive and time.monotonic() < deadline:
            time.sleep(0.01)
        return self.driver.alive


def killed(scene: Scene, fault: Fault) -> str:
    return "killed" if scene.driver.send(signal.SIGKILL) and scene.driver.ended(PATIENCE_S) == -signal.SIGKILL else ""


def terminated(scene: Scene, fault: Fault) -> str:
    if not scene.driver.send(signal.SIGTERM):
        return ""
    return "terminated" if scene.driver.ended(PATIENCE_S) is not None else ""


def stopped(scene: Scene, fault: Fault) -> str:
    if not scene.driver.send(signal.SIGSTOP):
        return ""
    time.sleep(0.05 + fault.amount)
    was = state_of(scene.driver.pid)
    scene.driver.send(signal.SIGCONT)
    return "stopped and continued" if was == "T" else ""


def state_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""


def full_disk(scene: Scene, fault: Fault) -> str:
    if not scene.disk.is_mounted or not scene.driver.alive:
        return ""
    try:
        was_full = scene.disk.fill() and scene.driver.alive
        scene.rest(0.1 + fault.amount * 3)
    finally:
        scene.disk.free()
    return "full, then free" if was_full else ""


def slow_disk(scene: Scene, fault: Fault) -> str:
    slow, met = Path(scene.driver.order.slow), Path(f"{scene.driver.order.slow}.met")
    met.unlink(missing_ok=True)
    slow.write_text(str(0.05 + 0.3 * fault.amount))
    scene.rest(0.5 + fault.amount * 2)
    slow.unlink()
    return f"{met.stat().st_size} slow writes" if met.exists() else ""


def directory_gone(scene: Scene, fault: Fault) -> str:
    """Moved away and back; what the run has made in its place meanwhile is lost, as under a mount that returns."""
    away = scene.run.with_name(f"{scene.run.name}-away")
    try:
        scene.run.rename(away)
    except OSError:
        return ""
    was_alive = scene.driver.alive
    scene.rest(0.1 + fault.amount * 3)
    made_again = scene.run.exists()
    while away.exists():
        try:
            away.rename(scene.run)
        except OSError:  # the run is making another at this moment
            shutil.rmtree(scene.run, ignore_errors=True)
    return ("gone, and made again by the run" if made_again else "gone and back") if was_alive else ""


def flipped_byte(scene: Scene, fault: Fault) -> str:
    manifest = json.loads((scene.case.config.parent / "shards" / "manifest.json").read_text())
    cached = [scene.cache / shard["sha256"] for shard in manifest["shards"]]
    cached = [path for path in cached if path.exists()]
    if not cached:
        return ""
    path = scene.chance.choice(cached)
    at = scene.chance.randrange(path.stat().st_size)
    with open(path, "r+b") as file:
        file.seek(at)
        byte = file.read(1)[0]
        file.seek(at)
        file.write(bytes([byte ^ 1 << scene.chance.randrange(8)]))
    return "flipped"


def journal_cut(scene: Scene, fault: Fault) -> str:
    """The driver is killed, and a segment of its journal loses its end."""
    if not any((scene.run / "journal").glob("*.arrow")) or not killed(scene, fault):
        return ""
    path = scene.chance.choice(sorted((scene.run / "journal").glob("*.arrow")))
    os.truncate(path, scene.chance.randrange(path.stat().st_size))
    return "cut"


def out_of_memory(scene: Scene, fault: Fault) -> str:
    """The kernel ends a process that has outgrown its group, or refuses it more addresses."""
    return _group_full(scene) if fault.amount < 0.5 else _no_more_addresses(scene)


def _group_full(scene: Scene) -> str:
    found = limited(scene.driver.pid, lambda: scene.driver.alive, lambda: not scene.driver.alive)
    if found is None:
        return _no_more_addresses(scene)
    return found if scene.driver.exit_code() == -signal.SIGKILL else ""


def limited(pid: int, wanted: Callable[[], bool], is_dead: Callable[[], bool]) -> str | None:
    """Lets a process have no page more, until the kernel ends it or it is wanted no longer; None: not possible here."""
    group = GROUPS / f"evoray-chaos-{pid}"
    try:
        group.mkdir()
    except OSError:
        return None
    deadline = time.monotonic() + PATIENCE_S / 3
    try:
        (group / "memory.limit_in_bytes").write_text(str(2**18))
        (group / "cgroup.procs").write_text(str(pid))
        while wanted() and not is_dead() and time.monotonic() < deadline:
            time.sleep(0.02)
        return "killed by the kernel" if is_dead() and "oom_kill 0" not in _control(group) else ""
    except OSError:
        return ""
    finally:
        _dissolved(group)


def _control(group: Path) -> str:
    return (group / "memory.oom_control").read_text()


def _dissolved(group: Path) -> None:
    for _ in range(200):
        with suppress(OSError):
            (group / "memory.limit_in_bytes").write_text("-1")
            for pid in (group / "cgroup.procs").read_text().split():
                (GROUPS / "cgroup.procs").write_text(pid)
            group.rmdir()
            return
        time.sleep(0.02)


def _no_more_addresses(scene: Scene) -> str:
    try:
        pages = int(Path(f"/proc/{scene.driver.pid}/statm").read_text().split()[0])
        limit = pages * resource.getpagesize() + 2**16
        resource.prlimit(scene.driver.pid, resource.RLIMIT_AS, (limit, resource.RLIM_INFINITY))
    except (OSError, IndexError):
        return ""
    if scene.rest(PATIENCE_S / 6):
        with suppress(OSError):
            resource.prlimit(scene.driver.pid, resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    return "no memory was given" if scene.driver.exit_code() or unchecked(scene.run) else ""


ANY_FAULTS: dict[str, Callable[[Scene, Fault], str]] = {
    "driver killed": killed,
    "driver terminated": terminated,
    "driver stopped": stopped,
}
FAULTS: dict[str, Callable[[Scene, Fault], str]] = {
    **ANY_FAULTS,
    "full disk": full_disk,
    "slow disk": slow_disk,
    "directory gone": directory_gone,
    "flipped byte": flipped_byte,
    "journal cut": journal_cut,
    "out of memory": out_of_memory,
}
SEAMS = ("slow disk", "partition")
"""Kinds that are not done to the machine itself."""
