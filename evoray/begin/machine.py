"""The machine under a run: processor, memory, shared memory, disk, ports. The system is asked, and not PyTorch."""

import os
import re
import shutil
import socket
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from evoray.begin.findings import Finding, attention, bad, good

GIB = 2**30
PROC = Path("/proc")
LIMIT, USED = Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory.current")
BFLOAT16 = ("avx512_bf16", "amx_bf16", "avx10_2", "bf16", "svebf16")
"""Flags of /proc/cpuinfo that say a processor computes in bfloat16, of x86-64 and of ARM."""
VECTORS = ("amx_tile", "avx512f", "avx2", "avx", "asimd")
LEAST_MEMORY, LEAST_DISK = 2 * GIB, 5 * GIB
SHM_SHARE = 0.3
"""Of the memory, which Ray takes for its objects in /dev/shm."""
PORTS = {
    8265: ("dashboard", "--dashboard-port"),
    6379: ("head", "--port"),
    10001: ("client", "--ray-client-server-port"),
}
"""What ``ray start`` listens on, and the option that says another."""


def processor(proc: Path = PROC) -> Iterator[Finding]:
    """Cores that this process may use, vector units, and whether it computes in bfloat16."""
    flags, name = _cpuinfo(proc)
    cores = usable_cores()
    all_cores = os.cpu_count() or 1
    of = f" of {all_cores}" if cores != all_cores else ""
    vectors = next((one for one in VECTORS if one in flags), "")
    units = [one for one in BFLOAT16 if one in flags]
    types = (
        f"computes in bfloat16 ({', '.join(units)})" if units else "no units for bfloat16: float32 is its fastest type"
    )
    yield good("processor", ", ".join(part for part in (name, f"{cores}{of} cores", vectors, types) if part))


def usable_cores() -> int:
    """As the system and a container's limits allow."""
    try:
        cores = len(os.sched_getaffinity(0))
    except AttributeError:
        cores = os.cpu_count() or 1
    limit = _number(Path("/sys/fs/cgroup/cpu.max"))
    return max(1, min(cores, round(limit))) if limit else cores


def memory(proc: Path = PROC, limit: Path = LIMIT, used: Path = USED) -> Iterator[Finding]:
    """All there is, and what is free of it; a container's limit counts."""
    total, free = memory_bytes(proc, limit, used)
    if total == 0:
        return
    line = f"{total / GIB:.1f} GiB, {free / GIB:.1f} GiB of it free"
    if free < LEAST_MEMORY:
        yield attention("memory", line, "Close other programs, or give a run fewer workers: --set compute.workers=1.")
    else:
        yield good("memory", line)


def memory_bytes(proc: Path = PROC, limit: Path = LIMIT, used: Path = USED) -> tuple[int, int]:
    """(all, free), (0, 0) where the system does not say. limit, used: of a container."""
    try:
        text = (proc / "meminfo").read_text()
    except OSError:
        return 0, 0
    sizes = {key: int(value) * 1024 for key, value in re.findall(r"^(\w+):\s+(\d+) kB", text, re.MULTILINE)}
    total, free = sizes.get("MemTotal", 0), sizes.get("MemAvailable", 0)
    if (most := _whole(limit)) is None:
        return total, free
    return min(total, most), max(0, min(free, most - (_whole(used) or 0)))


def shared_memory(
    total: int, path: Path = Path("/dev/shm"), usage: Callable[..., object] = shutil.disk_usage
) -> Iterator[Finding]:
    """Where Ray's workers read parent and shards. total: the memory, bytes."""
    if not path.is_dir():
        yield good("/dev/shm", "none; Ray keeps its objects elsewhere")
        return
    found = usage(path)
    size, free = int(found.total), int(found.free)  # type: ignore[attr-defined]
    line = f"{size / GIB:.1f} GiB, {free / GIB:.1f} GiB of it free"
    if size < min(SHM_SHARE * total, 2 * GIB) or free < GIB // 4:
        remedy = "Ray then keeps objects on the disk, which is slow. A container gets more by: docker run --shm-size=4g"
        yield attention("/dev/shm", line, remedy)
    else:
        yield good("/dev/shm", line)


def disk(places: Mapping[str, str], usage: Callable[..., object] = shutil.disk_usage) -> Iterator[Finding]:
    """Room where things are written. places: what for -> a folder, which may not be there yet."""
    for what, folder in places.items():
        path = Path(folder)
        while not path.exists() and path != path.parent:
            path = path.parent
        found = usage(path)
        free, share = int(found.free), 1 - found.free / max(found.total, 1)  # type: ignore[attr-defined]
        line = f"{free / GIB:.1f} GiB free for {what} ({folder})"
        if not os.access(path, os.W_OK):
            yield bad(
                "disk", f"{folder} cannot be written ({what})", f"Make it yours, or take another folder for {what}."
            )
        elif free < LEAST_DISK // 20:
            yield bad("disk", line, "Make room: a run that cannot write its journal stops.")
        elif free < LEAST_DISK or share > 0.95:
            yield attention("disk", f"{line}, {share:.0%} used", "Make room; Ray stops storing objects above 95%.")
        else:
            yield good("disk", line)


def ports(ray_answers: bool, taken: Callable[[int], bool] | None = None) -> Iterator[Finding]:
    """Whether ``ray start`` could listen where it does by default. ray_answers: a cluster runs here already."""
    busy = [port for port in PORTS if (taken or _is_taken)(port)]
    if not busy or ray_answers:
        yield good("ports", f"{', '.join(map(str, busy))} taken, by Ray" if busy else f"{_named(PORTS)} are free")
        return
    options = ", ".join(f"{PORTS[port][1]}" for port in busy)
    yield attention(
        "ports",
        f"{_named(busy)} taken by another program",
        f"A run with a Ray of its own does not need them. For ray start --head, say others: {options}.",
    )


def has_nvidia(devices: Path = Path("/sys/bus/pci/devices")) -> bool:
    """Whether a GPU of that maker is plugged in, by the bus."""
    for device in devices.iterdir() if devices.is_dir() else ():
        try:
            vendor, kind = ((device / name).read_text().strip() for name in ("vendor", "class"))
        except OSError:
            continue
        if vendor == "0x10de" and kind.startswith("0x03"):
            return True
    return False


def _named(ports: object) -> str:
    return ", ".join(f"{port} ({PORTS[port][0]})" for port in ports)  # type: ignore[attr-defined]


def _is_taken(port: int) -> bool:
    with socket.socket() as one:
        one.settimeout(0.5)
        return one.connect_ex(("127.0.0.1", port)) == 0


def _cpuinfo(proc: Path) -> tuple[set[str], str]:
    try:
        text = (proc / "cpuinfo").read_text()
    except OSError:
        return set(), ""
    flags = re.search(r"^(?:flags|Features)\s*:\s*(.*)$", text, re.MULTILINE)
    name = re.search(r"^model name\s*:\s*(.*)$", text, re.MULTILINE)
    return set(flags[1].split()) if flags else set(), name[1].strip() if name else ""


def _whole(path: Path) -> int | None:
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return None


def _number(path: Path) -> float | None:
    """Cores of a container: ``200000 100000`` is two."""
    try:
        quota, period = path.read_text().split()
        return int(quota) / int(period)
    except (OSError, ValueError):
        return None
