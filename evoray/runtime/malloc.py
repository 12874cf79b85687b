"""What one forward pass frees is kept for the next.

The C library hands large blocks back to the system as soon as they are freed, so that each layer's output is new
memory, which the kernel clears page by page on first touch. For resnet18 on 256 images of 224 pixels in bfloat16 that
is 2.8 GB, or 700,000 page faults a pass, 44% of its time on two cores (``tests/benchmarks/results/throughput.md``).
The next pass takes the same again, so a worker needs little more; what is kept is never given back, and scatters.
"""

import ctypes
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

TRIM_THRESHOLD, MMAP_THRESHOLD, MMAP_MAX = -1, -3, -4
"""Numbers of mallopt(3)'s parameters."""

USUAL = ((MMAP_MAX, 65536), (MMAP_THRESHOLD, 32 << 20), (TRIM_THRESHOLD, 64 << 20))
"""Where glibc's own adjustment ends in a process that has freed a block of 32 MiB. It cannot be asked for what it has,
and adjusts nothing by itself once it was told anything."""

CHOSEN = ("MALLOC_MMAP_MAX_", "MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_")
"""Environment variables of a user who has chosen."""


def keep_freed_memory() -> bool:
    """For this whole process, from now on. False where the C library is not glibc: nothing changes there."""
    return _mallopt(MMAP_MAX, 0) and _mallopt(TRIM_THRESHOLD, -1)


_lock = threading.Lock()
_contexts = 0


@contextmanager
def freed_memory_kept() -> Iterator[None]:
    """The same while the context is open, in a process that is shared; with the last such context what was kept goes
    back. Nothing happens where the user has set malloc up by the environment."""
    if any(name in os.environ for name in CHOSEN) or "glibc.malloc" in os.environ.get("GLIBC_TUNABLES", ""):
        yield
        return
    _count(1)
    try:
        yield
    finally:
        _count(-1)


def _count(change: int) -> None:
    global _contexts
    with _lock:
        _contexts += change
        if change > 0:
            keep_freed_memory()
        elif _contexts == 0 and all(_mallopt(*usual) for usual in USUAL):
            ctypes.CDLL(None).malloc_trim(0)


def _mallopt(parameter: int, value: int) -> bool:
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    return mallopt is not None and bool(mallopt(parameter, value))
