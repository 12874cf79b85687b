"""The budget decides what is kept and what is made again, and never what arrives."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from torch.utils._pytree import tree_leaves

from evoray.data import Shard, normalise
from evoray.evaluation.shard_cache import GIB, ShardCache, budget_bytes
from evoray.tasks.base import Preparation
from evoray.tasks.image_classification import ImageClassification
from tests.unit.evaluation.stand_in import MAIN

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


def test_the_oldest_makes_room_before_the_next_is_made(monkeypatch):
    kept, held = residency(2), []
    batch = ImageClassification.batch
    monkeypatch.setattr(ImageClassification, "batch", lambda *given: (held.append(kept.held()), batch(*given))[1])
    for shard in range(3):
        kept.get("select", shard)
    assert held[-3:] == [(("select", 1),)] * 3


def test_a_shard_above_the_budget_holds_no_batches():
    kept = residency(0.5)
    assert kept.get("select", 0).nbytes == 0
    assert residency(1).get("select", 0).nbytes == SHARD_BYTES


def test_budgets():
    assert budget_bytes(0.5, torch.device("cpu")) == GIB // 2
    assert budget_bytes(None, torch.device("cpu")) == 2 * GIB


# batches that are made ahead, beside the stream that uses them


def streamed(cache=None):
    return (cache or residency(0)).get("select", 0).batches


def used(stand_in, batches):
    """Sums of every batch, computed on the stream that is current here."""
    with stand_in.watched():
        return [float(batch.inputs.sum()) for batch in batches]


def test_no_batch_is_used_before_its_event_was_waited_for(stand_in):
    batches = streamed()
    assert len(used(stand_in, batches)) == 3
    assert stand_in.errors == []
    side = stand_in.stream("batches")
    made = [event for _, _, stream, event in stand_in.did("record_event") if stream == side]
    assert [entry[2:] for entry in stand_in.did("wait_event")] == [(MAIN, event) for event in made]


def test_without_that_the_stand_in_would_say_so(put_in_place):
    stand_in = put_in_place(broken=["wait_event"])
    used(stand_in, streamed())
    assert len(stand_in.errors) >= 3


@pytest.mark.parametrize("broken", [[], ["record_stream"]])
def test_the_allocator_is_told_who_uses_a_batch(put_in_place, broken):
    stand_in = put_in_place(broken=broken)
    used(stand_in, streamed())
    assert len(stand_in.did("record_stream")) == 3
    assert len(stand_in.borrowed) == (3 if broken else 0)


def test_batches_are_made_on_another_thread_and_stream_from_pinned_memory(stand_in):
    streams = []

    class Watched(ImageClassification):
        def batch(self, records, rows, how):
            if how.pinned:  # not the look at how large a shard is
                streams.append(stand_in.current_stream())
            return super().batch(records, rows, how)

    how = Preparation(torch.device("cpu"), torch.float32, True, MEAN, STD)
    used(stand_in, streamed(ShardCache(read, Watched(), how, 3, 0.0)))
    assert streams == [stand_in.stream("batches")] * 3
    threads = {entry[1] for entry in stand_in.did("pin", "record_event")}
    assert len(threads) == 1 and threads.pop().startswith("evoray-ahead")


def test_pinned_memory_is_done_with_before_the_next_is_taken(stand_in):
    """On the thread that fetches: pin, copy, event, wait for it; the event is the one just recorded."""
    used(stand_in, streamed())
    fetched = [entry for entry in stand_in.log if entry[1].startswith("evoray-ahead")]
    assert [entry[0] for entry in fetched] == ["pin", "record_event", "synchronize"] * 3
    recorded, awaited = (
        [entry[-1] for entry in fetched if entry[0] == name] for name in ("record_event", "synchronize")
    )
    assert recorded == awaited


def test_all_passes_and_shards_use_one_stream(stand_in):
    """Every stream keeps memory of its own, and there are 32."""
    cache = residency(0)
    for shard in (0, 1):
        batches = cache.get("select", shard).batches
        assert used(stand_in, batches) == used(stand_in, batches)
    assert {entry[2] for entry in stand_in.did("record_event")} == {stand_in.stream("batches")}


def test_a_pass_that_is_left_early_leaves_nothing_behind(stand_in):
    batches = streamed()
    with stand_in.watched():
        first = next(iter(batches))
    assert torch.equal(first.inputs, next(iter(batches)).inputs)
    assert len(stand_in.did("record_event")) == len(stand_in.did("synchronize"))


@pytest.mark.parametrize("form", [lambda one: (one, one + 1), lambda one: {"a": one, "b": [one + 1, 3]}])
def test_inputs_of_any_form_are_handed_over(stand_in, form):
    class Forms(ImageClassification):
        def batch(self, records, rows, how):
            made = super().batch(records, rows, how)
            return dataclasses.replace(made, inputs=form(made.inputs))

    how = Preparation(torch.device("cpu"), torch.float32, True, MEAN, STD)
    with stand_in.watched():
        for batch in streamed(ShardCache(read, Forms(), how, 3, 0.0)):
            [one.sum() for one in tree_leaves(batch.inputs) if isinstance(one, torch.Tensor)]
    assert stand_in.errors == [] and not stand_in.borrowed
    assert len(stand_in.did("record_stream")) == 6


def test_batches_that_stay_are_made_where_they_are_used(stand_in):
    with stand_in.watched():
        batches = residency(10).get("select", 0).batches
    used(stand_in, batches)
    assert stand_in.log == [] and not stand_in.errors and not stand_in.borrowed


def test_a_share_of_free_memory_is_the_budget_where_the_device_has_its_own(stand_in, monkeypatch):
    monkeypatch.setattr(stand_in, "free_bytes", lambda: 10 * GIB)
    assert budget_bytes(None, torch.device("cpu")) == 5 * GIB
    assert budget_bytes(0.5, torch.device("cpu")) == GIB // 2
