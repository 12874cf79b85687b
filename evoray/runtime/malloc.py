"""What one forward pass frees is kept for the next.

The C library hands large blocks back to the system as soon as they are freed, so that each layer's output is new
memory, which the kernel clears page by page on first touch. For resnet18 on 256 images of 224 pixels in bfloat16 that
is 2.8 GB, or 700,000 page faults a pass, 44% of its time on two cores (``tests/benchmarks/results/throughput.md``).
The next pass takes the same again, so a worker needs little more; what is kept is never given back, and scatters.
"""

from __future__ import annotations

import ctypes
import sys

TRIM_THRESHOLD, MMAP_MAX = -1, -4
"""Numbers of mallopt(3)'s parameters."""


def keep_freed_memory() -> bool:
    """For this whole process, from now on. False where the C library is not glibc: nothing changes there."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    return mallopt is not None and bool(mallopt(MMAP_MAX, 0)) and bool(mallopt(TRIM_THRESHOLD, -1))
