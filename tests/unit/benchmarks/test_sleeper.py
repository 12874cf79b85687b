from __future__ import annotations

import pickle
import subprocess
import sys

import numpy as np
import pytest

from evoray.benchmarks import sleeper as module
from evoray.benchmarks.sleeper import ROW, Sleeper, sleep_unit


@pytest.fixture
def slept(monkeypatch):
    seconds = []
    monkeypatch.setattr(module.time, "sleep", seconds.append)
    return seconds


def test_a_unit_takes_its_seconds_a_child(slept):
    found = sleep_unit(3, (5, 6, 7)).run(Sleeper(0.25))
    assert slept == [0.75]
    assert [payload for _, payload in found] == [b"", b"", b""]


def test_each_child_has_a_row_of_its_own_the_same_every_time(slept):
    first, again = (sleep_unit(shard, (5, 6)).run(Sleeper(0.0)) for shard in (0, 9))
    for (row, _), (other, _), child in zip(first, again, (5, 6), strict=True):
        assert row.shape == (ROW,) and row.dtype == np.float64 and np.array_equal(row, other)
        assert row[0] == 1024 + child


def test_logits_come_once_a_unit(slept):
    found = sleep_unit(0, (1, 2, 3)).run(Sleeper(0.0, logits_bytes=100))
    assert [len(payload) for _, payload in found] == [100, 0, 0]


def test_a_unit_carries_a_seed_a_child_that_differs_by_shard():
    units = [sleep_unit(shard, (0, 1)) for shard in (0, 1)]
    seeds = [seed for unit in units for seed in unit.seeds]
    assert len(set(seeds)) == 4 and all(0 <= seed < 2**64 for seed in seeds)
    assert sleep_unit(0, (0, 1)) == units[0] == pickle.loads(pickle.dumps(units[0]))


def test_two_sleepers_of_other_seconds_are_two_sources():
    assert Sleeper(0.1).key == Sleeper(0.1).key != Sleeper(0.2).key
    assert Sleeper(0.1, 5).key != Sleeper(0.1).key
    assert Sleeper(0.1).build(b"anything") == Sleeper(0.1)


def test_a_worker_that_sleeps_imports_neither_torch_nor_ray():
    code = "import sys, evoray.benchmarks.sleeper; print({'torch', 'ray'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "set()\n"
