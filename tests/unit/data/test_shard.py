"""What every dataset promises, asked of each kind."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from pictures import GREY, grey_records

from evoray.data import Shard, ShardCache, open_dataset, relabelled
from evoray.ingest.ingest import ingest_dataset


def mock(tmp_path):
    return open_dataset("mock:images=21,size=4,classes=3,channels=1,shard_size=8")


def directory(tmp_path):
    ingest_dataset(grey_records(21), tmp_path / "shards", GREY, shard_size=8)
    return open_dataset(str(tmp_path / "shards"))


def uri(tmp_path):
    directory(tmp_path)
    return open_dataset(f"file://{tmp_path}/shards", cache=ShardCache(tmp_path / "cache", 10**6))


def with_other_labels(tmp_path):
    return relabelled(mock(tmp_path), [2, 0, 1])


def packaged(tmp_path):
    return open_dataset("mnist5k-train")


@pytest.fixture(params=[mock, directory, uri, with_other_labels, packaged], ids=lambda make: make.__name__)
def twice(request, tmp_path):
    """The same dataset, opened two times."""
    first = request.param(tmp_path)
    if request.param in (directory, uri):
        return first, open_dataset(str(tmp_path / "shards"))
    return first, request.param(tmp_path)


def test_a_shard_has_the_types_and_sizes_that_its_dataset_says(twice):
    dataset, _ = twice
    for index, rows in enumerate(dataset.shard_rows):
        shard = dataset.load(index)
        assert shard.index == index
        assert (shard.images.shape, shard.images.dtype) == ((rows, *dataset.image_shape), np.uint8)
        assert (shard.labels.shape, shard.labels.dtype) == ((rows,), np.int64)
        assert shard.labels.min() >= 0 and shard.labels.max() < len(dataset.classes)
        assert len(shard.sources) == rows > 0


def test_shards_together_hold_every_record_once(twice):
    dataset, _ = twice
    sources = [source for index in range(len(dataset.shard_rows)) for source in dataset.load(index).sources]
    assert len(sources) == len(set(sources)) == sum(dataset.shard_rows)


def test_the_order_is_the_same_every_time_and_in_every_process(twice):
    dataset, again = twice
    assert dataset.digest == again.digest
    for index in (*range(len(dataset.shard_rows)), 0):
        first, second = dataset.load(index), again.load(index)
        assert np.array_equal(first.images, second.images)
        assert (first.labels.tolist(), first.sources) == (second.labels.tolist(), second.sources)


def test_there_is_no_shard_beyond_the_last(twice):
    dataset, _ = twice
    with pytest.raises(IndexError):
        dataset.load(len(dataset.shard_rows))


def test_a_shard_is_not_changed_in_place():
    shard = Shard(0, np.zeros((1, 1, 2, 2), np.uint8), np.zeros(1, np.int64), ["a"])
    with pytest.raises(dataclasses.FrozenInstanceError):
        shard.index = 1
