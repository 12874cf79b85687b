"""The child that a network is tried with: every weight takes part, however the space is cut."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch

from evoray.evaluation.probe import PERIOD, UNSCALED, _noise, probe
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


@pytest.mark.parametrize("within", [None, (0, 2), (1,), ()])
@pytest.mark.parametrize(("start", "stop"), [(0, 70_055), (1, 70_054), (65_537, 65_540), (69_990, 70_050), (5, 5)])
def test_a_range_is_noise_by_place_times_the_tensors_scale(within, start, stop):
    space = Space.from_state(STATE, list(STATE), "rms")
    ((_, recipe),) = probe(0.3, within)
    places = np.arange(start, stop)
    if within is not None:
        places = places[np.isin(space.per_coordinate(np.arange(3), places), within)]
    scales = np.where(space.scales > 0, space.scales, np.float32(UNSCALED)) * np.float32(0.3)
    expected = _noise()[places % PERIOD] * space.per_coordinate(scales, places)
    indices, values = recipe.delta(space, start, stop)
    assert indices.dtype == np.int64 and values.dtype == np.float32
    assert np.array_equal(indices, places) and np.array_equal(values, expected)
    assert np.array_equal(recipe.between(space, start, stop)[0], places - start)
