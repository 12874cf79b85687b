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
with freed_memory_kept():
    with freed_memory_kept():
        pass
    kept = faults()
after = faults(max)
assert keep_freed_memory()
print(found, kept, after, faults())
"""


PAGES = (64 << 20) / 4096
linux = pytest.mark.skipif(sys.platform != "linux", reason="glibc only")


def faults(**environment):
    """Page faults of a tensor of 64 MiB: before anything is asked for, while memory is kept in a shared process, after
    that, and once it is kept for good."""
    env = {**os.environ, **environment}
    done = subprocess.run([sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, text=True, check=True, env=env)
    return tuple(map(float, done.stdout.split()))


@pytest.fixture(scope="module")
def counted():
    """In one process: it takes longer to start than to count."""
    return faults()


@linux
def test_a_tensor_of_the_same_size_takes_the_same_memory_again(counted):
    found, _, _, for_good = counted
    assert found > 0.9 * PAGES or found < PAGES / 100, "one fault a page, or huge pages"
    assert for_good < 0.01 * PAGES


@linux
def test_in_a_shared_process_it_ends_with_the_last_who_asked(counted):
    found, kept, after, _ = counted
    assert kept < 0.01 * PAGES
    assert after == pytest.approx(found, rel=0.1), "what was kept went back: the first tensor after is new memory"


@linux
def test_a_user_who_has_chosen_is_left_alone():
    found, kept, _, _ = faults(MALLOC_TRIM_THRESHOLD_="1000000")
    assert kept == pytest.approx(found, rel=0.1)
