from __future__ import annotations

import os
import pickle
import sys

import numpy as np
import pytest
from greys import GREY, Deadly, Numbers

from evoray.errors import DataError, RunError
from evoray.ingest import processes
from evoray.ingest.ingest import ingest_dataset, ingest_source
from evoray.ingest.processes import in_processes, mute_libraries, pickled
from evoray.ingest.shard_writer import ShardWriter


def test_what_cannot_travel_is_refused_before_processes_start(tmp_path):
    with pytest.raises(DataError, match="workers = 1"):
        ingest_dataset([(lambda: None, 0)] * 3, tmp_path / "shards", GREY, workers=2, shard_size=2)


def test_a_worker_that_dies_is_an_error_and_no_shards(tmp_path):
    with pytest.raises(RunError, match="process died"):
        ingest_source(Deadly(), tmp_path / "shards", GREY, workers=2, shard_size=1)
    assert [path.name for path in tmp_path.iterdir()] == [".shards.part"]
    assert Deadly.travelled == 1, "the records are pickled once, not once a shard"


def writer(tmp_path, source, shard_size=4):
    for folder in ("shards", "done"):
        (tmp_path / folder).mkdir(parents=True)
    return ShardWriter(source, GREY, tmp_path, np.arange(source.count)[::-1], shard_size)


def outcome(tmp_path, workers, **source):
    counted = []
    made = dict(in_processes(workers)(writer(tmp_path, Numbers(10, **source)), counted.append))
    return made, counted


def test_every_shard_is_written_once_and_every_record_counted_whoever_does_it(tmp_path):
    alone, counted = outcome(tmp_path / "1", 1, broken=5)
    assert list(alone) == [0, 1, 2] and counted == [1] * 10
    several, counted = outcome(tmp_path / "3", 3, broken=5)
    assert several == alone and sum(counted) == 10
    assert [one.source for one in alone[1].unreadable] == ["005"]


def test_an_error_of_a_worker_is_the_ingests(tmp_path):
    for workers in (1, 2):
        with pytest.raises(DataError, match="records differ"):
            outcome(tmp_path / str(workers), workers, wrong=9)


def test_more_workers_than_shards_are_not_started(tmp_path, monkeypatch):
    asked = []

    class Pool(processes.ProcessPoolExecutor):
        def __init__(self, workers, *arguments, **options):
            asked.append(workers)
            super().__init__(1, *arguments, **options)

    monkeypatch.setattr(processes, "ProcessPoolExecutor", Pool)
    outcome(tmp_path / "8", 8)
    assert asked == [3]


def test_a_writer_travels_whole(tmp_path):
    one = writer(tmp_path, Numbers(3))
    other = pickle.loads(pickled(one))
    assert (other.source, other.transform, other.directory) == (one.source, one.transform, one.directory)
    assert np.array_equal(other.order, one.order)


def test_what_libraries_print_is_lost_and_what_python_prints_is_not():
    reading, writing = os.pipe()
    if (child := os.fork()) == 0:
        os.dup2(writing, 2)
        mute_libraries()
        os.write(2, b"Corrupt JPEG data\n")
        print("a word of the user's Dataset", file=sys.stderr)
        os._exit(0)
    os.close(writing)
    assert os.waitpid(child, 0)[1] == 0
    with open(reading) as file:
        assert file.read() == "a word of the user's Dataset\n"
