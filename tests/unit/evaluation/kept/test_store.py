"""What is kept lies beside the shards, within one budget; what was used longest ago goes first."""

from __future__ import annotations

import numpy as np

from evoray.mutation import Lineage
from tests.unit.evaluation.kept.nets import Plain, worker
from tests.unit.evaluation.kept.test_keeper import entry, rows

TAIL = [(entry(0),)]
ROWS = 21


def shards(evaluator):
    return [key for key in evaluator._shard_cache._kept if len(key) == 2]


def test_a_kept_shard_is_found_again_and_needs_its_images_no_more():
    on = worker(Plain, ("head",), keep_activations="auto")
    kept = on.kept(Lineage(), TAIL, "select", 0)
    assert on.kept(Lineage(), TAIL, "select", 0) is kept
    for batch, alive in kept.batches:
        assert batch.inputs.is_meta and not any(one.is_meta for one in alive)
    loads = on.counters.loads
    on._shard_cache._kept.pop(("select", 0))
    rows(on)
    assert on.counters.loads == loads and not shards(on)
    assert on.held() == (("select", 0),)


def test_its_bytes_are_those_of_the_values_alive():
    on = worker(Plain, ("head",), keep_activations="auto")
    kept = on.kept(Lineage(), TAIL, "select", 0)
    held = {
        one.untyped_storage().data_ptr(): one.untyped_storage().nbytes() for _, alive in kept.batches for one in alive
    }
    assert kept.nbytes == sum(held.values()) == ROWS * 8 * 4  # the head's inputs, float32


def test_the_budget_is_one_for_shards_and_what_is_kept():
    images, values = ROWS * 3 * 16 * 16 * 4, ROWS * 8 * 16 * 16 * 4
    tight = worker(Plain, ("second", "head"), keep_activations="auto", resident_gib=1.05 * values / 2**30)
    kept = tight.kept(Lineage(), TAIL, "select", 0)
    assert not kept.streams and kept.nbytes > images
    assert not shards(tight)  # the images had to go
    off = worker(Plain, ("second", "head"), keep_activations=False)
    assert np.array_equal(rows(tight), rows(off))


def test_nothing_is_kept_where_that_is_switched_off():
    assert worker(Plain, ("head",), keep_activations=False).kept(Lineage(), TAIL, "select", 0) is None
