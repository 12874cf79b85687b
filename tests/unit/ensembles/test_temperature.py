from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize

from evoray.ensembles import fit_temperature, temperature_sums
from evoray.ensembles.temperature import at_temperature


def drawn(seed, sharpness, n=300, classes=6):
    """Labels drawn from softmax(logits); what is seen are logits ``sharpness`` times as large."""
    generator = torch.Generator().manual_seed(seed)
    logits = 2 * torch.randn(n, classes, generator=generator, dtype=torch.float64)
    labels = torch.multinomial(torch.softmax(logits, 1), 1, generator=generator)[:, 0]
    return torch.log_softmax(sharpness * logits, dim=1), labels


def nll_at(log_p, labels, temperature):
    return torch.nn.functional.nll_loss(at_temperature(log_p, temperature), labels).item()


@settings(deadline=None, max_examples=20)
@given(seed=st.integers(0, 999), sharpness=st.sampled_from([0.5, 1.0, 2.0, 4.0]), cut=st.integers(1, 299))
def test_the_best_temperature_from_shards(seed, sharpness, cut):
    log_p, labels = drawn(seed, sharpness)
    total = temperature_sums(log_p[:cut], labels[:cut]) + temperature_sums(log_p[cut:], labels[cut:])
    found = fit_temperature(total)
    best = optimize.minimize_scalar(lambda b: nll_at(log_p, labels, 1 / b), bounds=(1 / 8, 8), method="bounded")
    assert nll_at(log_p, labels, found) <= best.fun + 1e-5
    assert found == pytest.approx(sharpness, rel=0.35)


def test_bounds_and_what_is_not_finite():
    log_p = torch.log_softmax(torch.tensor([[0.01, 0.0], [0.0, 0.01]], dtype=torch.float64), 1)
    assert fit_temperature(temperature_sums(log_p, torch.tensor([0, 1]))) == 1 / 8  # never sure enough
    assert fit_temperature(temperature_sums(100 * log_p, torch.tensor([1, 0]))) == 8  # always wrong
    assert fit_temperature(np.full((2, 33), math.nan)) == 1


def test_a_class_of_probability_zero_stays_finite():
    log_p = torch.tensor([[0.0, -math.inf]], dtype=torch.float64)
    assert np.isfinite(temperature_sums(log_p, torch.tensor([1]))).all()


def test_one_changes_nothing():
    log_p, _ = drawn(0, 1.0)
    assert at_temperature(log_p, 1.0) is log_p
