"""The child that a network is tried with: every weight takes part, however the space is cut."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import torch

from evoray.evaluation.probe import UNSCALED, probe
from evoray.mutation import Space, apply_lineage, delta_between, weighted_delta

STATE = {"a": torch.randn(70_000), "b": torch.zeros(40), "c": torch.randn(3, 5)}


def test_every_weight_changes_in_its_own_scale():
    space = Space.from_state(STATE, list(STATE), "rms")
    (entry,) = probe(0.25)
    indices, values = weighted_delta(space, entry)
    assert len(indices) == space.n and np.count_nonzero(values) > 0.999 * space.n
    flat = space.flatten(STATE)
    changed = apply_lineage(flat.copy(), space, [entry]) - flat
    assert np.std(changed[:70_000]) == np.float32(changed[:70_000].std())
    assert abs(np.std(changed[:70_000]) / (0.25 * space.scales[0]) - 1) < 0.02
    assert 0.3 < np.std(changed[70_000:70_040]) / (0.25 * UNSCALED) < 3  # zeros, so their scale is zero


def test_ranges_together_are_the_whole():
    space = Space.from_state(STATE, list(STATE), "rms")
    (entry,) = probe(0.1)
    whole = weighted_delta(space, entry)[1]
    cuts = [0, 1, 65_537, 65_540, 70_010, space.n]
    parts = [delta_between(space, entry, *pair)[1] for pair in pairwise(cuts)]
    assert np.array_equal(np.concatenate(parts), whole)
