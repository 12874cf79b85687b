"""What is kept lies beside the shards, within one budget; what was used longest ago goes first."""

from __future__ import annotations

import gc

import numpy as np
import pytest
import torch

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


def bytes_alive():
    """Of all plain tensors of this process; memory that several share counts once."""
    tensors = [one for one in gc.get_objects() if type(one) in (torch.Tensor, torch.nn.Parameter)]
    tensors = [one for one in tensors if one.layout == torch.strided and not one.is_meta]
    return sum({one.untyped_storage().data_ptr(): one.untyped_storage().nbytes() for one in tensors}.values())


@pytest.mark.parametrize("budget", [1.02, 1.2, 1.5, 2.5])
def test_what_is_kept_stays_within_the_budget_while_it_is_made(budget, monkeypatch):
    """Of two shards, of which one or both fit, with their images or without."""
    values, images, batch = 64 * 8 * 16 * 16 * 4, 64 * 3 * 16 * 16 * 4, 8 * 11 * 16 * 16 * 4
    on = worker(Plain, ("second", "head"), images=128, keep_activations=True, resident_gib=budget * values / 2**30)
    on.kept(Lineage(), TAIL, "select", 0)  # recorded and checked
    on._shard_cache.make_room(10**12)
    gc.collect()
    found, alive, before = [], on.keeper.alive, bytes_alive()

    def watched(*given):
        found.append(bytes_alive() if len(found) % 8 == 7 else 0)  # a shard's last batch; looking takes long
        return alive(*given)

    monkeypatch.setattr(on.keeper, "alive", watched)
    for shard in (0, 1, 0):
        assert not on.kept(Lineage(), TAIL, "select", shard).streams
    assert len(found) == (24 if budget < 2 else 16)
    assert images < max(found) - before <= budget * values + 2 * batch
