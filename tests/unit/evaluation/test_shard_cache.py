"""The budget decides what is kept and what is made again, and never what arrives."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from evoray.data import Shard, normalise
from evoray.evaluation.shard_cache import GIB, ShardCache, budget_bytes
from evoray.tasks.base import Preparation
from evoray.tasks.image_classification import ImageClassification

MEAN, STD = (0.4, 0.5, 0.6), (0.2, 0.3, 0.25)
IMAGES = np.random.default_rng(0).integers(256, size=(4, 10, 3, 8, 8), dtype=np.uint8)
ROWS = np.array([0, 2, 3, 5, 6, 8, 9])
SHARD_BYTES = len(ROWS) * 3 * 8 * 8 * 4


def read(split, shard):
    images = IMAGES[shard]
    return Shard(shard, images, np.arange(10) + shard, [f"{shard}/{row}" for row in range(10)]), ROWS


def residency(shards_worth, dtype=torch.float32, channels_last=True, width=None):
    how = Preparation(torch.device("cpu"), dtype, channels_last, MEAN, STD, width)
    return ShardCache(read, ImageClassification(), how, 3, shards_worth * SHARD_BYTES / GIB)


@pytest.mark.parametrize("shards_worth", [0, 0.5, 1, 10])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("channels_last", [False, True])
def test_the_same_batches_arrive_under_any_budget(shards_worth, dtype, channels_last):
    prepared = residency(shards_worth, dtype, channels_last).get("select", 2)
    expected = torch.split(normalise(torch.from_numpy(IMAGES[2][ROWS]), MEAN, STD, dtype), 3)
    layout = torch.channels_last if channels_last else torch.contiguous_format
    for _ in range(2):
        batches = [batch.inputs for batch in prepared.batches]
        assert all(torch.equal(one, other) for one, other in zip(batches, expected, strict=True))
        assert all(batch.is_contiguous(memory_format=layout) for batch in batches)
    assert prepared.targets.tolist() == [row + 2 for row in ROWS]
    assert prepared.sources == tuple(f"2/{row}" for row in ROWS)


@pytest.mark.parametrize("shards_worth", [0, 10])
def test_batches_of_one_shape_are_filled_up(shards_worth):
    plain, filled = (list(residency(shards_worth, width=width).get("select", 0).batches) for width in (None, 3))
    assert [batch.count for batch in plain] == [batch.count for batch in filled] == [3, 3, 1]
    assert [len(batch.inputs) for batch in plain] == [3, 3, 1]
    assert [len(batch.inputs) for batch in filled] == [3, 3, 3]
    assert all(torch.equal(one.inputs, other.unfilled().inputs) for one, other in zip(plain, filled, strict=True))


def test_a_shard_that_fits_is_read_once_and_the_oldest_makes_room():
    kept = residency(2)
    for shard in (0, 1, 0, 1, 0):
        kept.get("select", shard)
    assert kept.loads == 2
    kept.get("select", 2)
    assert kept.held() == (("select", 0), ("select", 2))
    kept.get("select", 1)
    assert kept.loads == 4


def test_a_shard_above_the_budget_holds_no_batches():
    kept = residency(0.5)
    assert kept.get("select", 0).nbytes == 0
    assert residency(1).get("select", 0).nbytes == SHARD_BYTES


def test_budgets():
    assert budget_bytes(0.5, torch.device("cpu")) == GIB // 2
    assert budget_bytes(None, torch.device("cpu")) == 2 * GIB
