"""Freed memory stays with the process: counted in page faults, which a clock's noise does not reach."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

PROGRAM = """
import resource
import torch
from evoray.runtime.malloc import freed_memory_kept, keep_freed_memory

def faults(pick=min):
    # a small block beside the large one may keep it from fitting again: the fewest of some rounds is what can be had
    counts = []
    for _ in range(10):
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        torch.zeros(64 << 20, dtype=torch.uint8)
        counts.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
    return pick(counts)

found = faults()
if {shared}:
    with freed_memory_kept():
        with freed_memory_kept():
            pass
        kept = faults()
else:
    assert keep_freed_memory()
    kept = faults()
print(found, kept, faults(max))
"""


PAGES = (64 << 20) / 4096
linux = pytest.mark.skipif(sys.platform != "linux", reason="glibc only")


def faults(shared, **environment):
    """Page faults of a tensor of 64 MiB: before anything is asked for, while memory is kept, and in the end."""
    command = [sys.executable, "-c", PROGRAM.replace("{shared}", str(shared))]
    env = {**os.environ, **environment}
    return map(float, subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=env).stdout.split())


@linux
def test_a_tensor_of_the_same_size_takes_the_same_memory_again():
    found, kept, _ = faults(shared=False)
    assert found > 0.9 * PAGES or found < PAGES / 100, "one fault a page, or huge pages"
    assert kept < 0.01 * PAGES


@linux
def test_in_a_shared_process_it_ends_with_the_last_who_asked():
    found, kept, after = faults(shared=True)
    assert kept < 0.01 * PAGES
    assert after == pytest.approx(found, rel=0.1), "what was kept went back: the first tensor after is new memory"


@linux
def test_a_user_who_has_chosen_is_left_alone():
    found, kept, _ = faults(shared=True, MALLOC_TRIM_THRESHOLD_="1000000")
    assert kept == pytest.approx(found, rel=0.1)
