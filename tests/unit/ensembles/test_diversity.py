from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from evoray.ensembles import diversity_sums
from evoray.ensembles.diversity import entropy_sum

M, N, C = 4, 50, 3


def drawn(seed):
    generator = torch.Generator().manual_seed(seed)
    log_p = torch.log_softmax(torch.randn(M, N, C, generator=generator, dtype=torch.float64), dim=2)
    labels = torch.randint(C, (N,), generator=generator)
    weights = torch.rand(M, generator=generator, dtype=torch.float64) + 0.1
    return log_p, labels, weights / weights.sum()


def sums(log_p, labels, weights):
    answers = log_p.argmax(2)
    mean = (weights[:, None, None] * log_p.exp()).sum(0)
    entropy = np.array([entropy_sum(one) for one in (*log_p, mean.log())])
    return diversity_sums(answers.numpy(), (answers != labels).numpy(), entropy)


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 999), cut=st.integers(1, N - 1))
def test_against_the_definitions_in_any_sharding(seed, cut):
    log_p, labels, weights = drawn(seed)
    found = sums(log_p[:, :cut], labels[:cut], weights) + sums(log_p[:, cut:], labels[cut:], weights)
    answers = log_p.argmax(2).numpy()
    wrong = (answers != labels.numpy()).astype(float)
    expected = [[np.mean(one != other) for other in answers] for one in answers]
    np.testing.assert_allclose(found.disagreement, expected)
    np.testing.assert_allclose(found.error_correlation, np.corrcoef(wrong), atol=1e-12)
    mean = (weights[:, None, None] * log_p.exp()).sum(0)
    kl = (log_p.exp() * (log_p - mean.log())).sum(2).mean(1)
    assert found.kl(weights.numpy()) == pytest.approx((weights * kl).sum().item(), rel=1e-9)


def test_one_member_and_one_that_is_always_right():
    one = diversity_sums(np.zeros((1, 5), int), np.zeros((1, 5), bool), np.array([1.0, 1.0]))
    assert one.to_dict(np.ones(1)) == {
        "disagreement": None,
        "error_correlation": None,
        "kl": 0.0,
        "pairs": {"disagreement": [[0.0]], "error_correlation": [[None]]},
    }


def test_probability_zero_adds_no_entropy():
    assert entropy_sum(torch.tensor([[0.0, -math.inf]], dtype=torch.float64)) == 0
