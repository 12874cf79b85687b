"""Freed memory stays with the process: counted in page faults, which a clock's noise does not reach."""

from __future__ import annotations

import subprocess
import sys

import pytest

PROGRAM = """
import resource
import torch
from evoray.runtime.malloc import keep_freed_memory

def faults():
    # a small block beside the large one may keep it from fitting again: the fewest of some rounds is what can be had
    counts = []
    for _ in range(20):
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        torch.zeros(64 << 20, dtype=torch.uint8)
        counts.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
    return min(counts)

found = faults()
assert keep_freed_memory()
kept = faults()
print(found, kept)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="glibc only")
def test_a_tensor_of_the_same_size_takes_the_same_memory_again():
    printed = subprocess.run([sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, text=True, check=True).stdout
    found, kept = map(float, printed.split())
    pages = (64 << 20) / 4096
    assert found > 0.9 * pages or found < pages / 100, "one fault a page, or huge pages"
    assert kept < 0.01 * pages
