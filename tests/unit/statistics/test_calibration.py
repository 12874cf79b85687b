from __future__ import annotations

import json
import math

import numpy as np
import pytest

from evoray.errors import RunError
from evoray.statistics.calibration import BINS, ece, reliability_sums


def ece_by_definition(confidence: np.ndarray, hits: np.ndarray) -> float:
    """Guo et al. 2017, equation 3, bin by bin from the images."""
    total = 0.0
    for bin_ in range(BINS):
        inside = (confidence >= bin_ / BINS) & ((confidence < (bin_ + 1) / BINS) | (bin_ == BINS - 1))
        if inside.any():
            total += inside.mean() * abs(hits[inside].mean() - confidence[inside].mean())
    return total


def test_ece_follows_its_definition() -> None:
    rng = np.random.default_rng(0)
    confidence = rng.beta(5, 2, 3000)
    hits = rng.random(3000) < confidence**1.5
    assert ece(reliability_sums(confidence, hits)) == pytest.approx(ece_by_definition(confidence, hits))


def test_bad_calibration_is_seen() -> None:
    confidence = np.full(1000, 0.9)
    assert ece(reliability_sums(confidence, np.arange(1000) < 600)) == pytest.approx(0.3)
    assert ece(reliability_sums(confidence, np.arange(1000) < 900)) == pytest.approx(0.0, abs=1e-12)


def test_certainty_goes_to_the_last_bin() -> None:
    sums = reliability_sums(np.array([1.0, 1.0 + 1e-12, 0.0]), np.array([True, True, False]))
    assert sums.counts[-1] == 2 and sums.counts[0] == 1 and sums.counts.sum() == 3


def test_shards_merge_to_the_whole() -> None:
    rng = np.random.default_rng(1)
    confidence, hits = rng.random(1000), rng.random(1000) < 0.5
    whole = reliability_sums(confidence, hits)
    merged = reliability_sums(confidence[:1], hits[:1]) + reliability_sums(confidence[1:], hits[1:])
    assert (merged.counts == whole.counts).all() and (merged.hits == whole.hits).all()
    assert merged.counts.dtype == merged.hits.dtype == np.int64
    assert ece(merged) == pytest.approx(ece(whole), rel=1e-12)


def test_no_number_where_there_is_none() -> None:
    assert math.isnan(ece(reliability_sums(np.zeros(0), np.zeros(0, dtype=bool))))
    broken = reliability_sums(np.array([math.nan, 0.5]), np.array([False, True]))
    assert math.isnan(ece(broken))
    json.dumps(broken.to_dict(), allow_nan=False)


@pytest.mark.parametrize("bad", [1.5, -0.2, math.inf])
def test_logits_are_no_confidences(bad: float) -> None:
    with pytest.raises(RunError, match="probabilities"):
        reliability_sums(np.array([bad]), np.array([True]))


def test_shapes_must_agree() -> None:
    with pytest.raises(RunError, match="differ"):
        reliability_sums(np.array([0.5]), np.array([True, False]))
