"""What the peers' rules do to tensors of a few numbers."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from evoray.study.peers import rules


def weights(dtype=torch.float32):
    generator = torch.Generator().manual_seed(5)
    return [torch.randn(shape, generator=generator).to(dtype) for shape in ((40, 3), (120,))]


def test_noise_is_one_stream_for_all_tensors():
    first, second = rules.noise([torch.zeros(64), torch.zeros(64)], 7)
    again = next(rules.noise([torch.zeros(64)], 7))
    assert torch.equal(first, again)
    assert abs(np.corrcoef(first, second)[0, 1]) < 0.5, "tensors of one length do not share their numbers"
    assert next(rules.noise([torch.zeros(2, dtype=torch.bfloat16)], 7)).dtype == torch.bfloat16


def test_what_is_added_is_sigma_times_the_noise_and_goes_but_for_rounding():
    moved, home = weights(), weights()
    rules.perturb_(moved, 3, 0.5)
    for one, first, drawn in zip(moved, home, rules.noise(home, 3), strict=True):
        torch.testing.assert_close(one, first + 0.5 * drawn)
    rules.restore_(moved, 3, 0.5)
    assert 0 < rules.drift(moved, home)["largest"] < 1e-6


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_there_and_back_is_both_to_the_same_bits(dtype):
    one, other = weights(dtype), weights(dtype)
    for seed in range(5):
        rules.perturb_(one, seed, 0.01)
        rules.restore_(one, seed, 0.01)
        rules.there_and_back_(other, seed, 0.01)
    assert rules.drift(one, other)["same_bits"]
    assert not rules.drift(one, weights(dtype))["same_bits"]


def test_scores_have_no_mean_and_a_spread_of_one():
    assert rules.z_scores([1.0, 0.0, 0.0, 1.0]) == [1.0, -1.0, -1.0, 1.0]
    assert rules.z_scores([0.25, 0.25]) == [0.0, 0.0]


def test_a_step_is_alpha_times_the_mean_of_scores_and_noise():
    moved, home = weights(), weights()
    rules.step_(moved, [1, 2], [1.0, -0.5], 0.1)
    for one, first, *drawn in zip(moved, home, rules.noise(home, 1), rules.noise(home, 2), strict=True):
        torch.testing.assert_close(one, first + 0.1 * (drawn[0] - 0.5 * drawn[1]) / 2)
    half = weights(torch.bfloat16)
    rules.step_(half, [1, 2], [1.0, -0.5], 0.1)
    assert half[0].dtype == torch.bfloat16


def test_the_evolution_strategy_climbs():
    moved, home, names = weights(), weights(), []
    settings = {"population": 6, "iterations": 2, "sigma": 0.01, "alpha": 0.1, "seed": 0}

    def evaluate(name):
        names.append(name)
        return float(sum(one.sum() for one in moved))

    before = float(sum(one.sum() for one in home))
    rewards = rules.evolution_strategy(moved, evaluate, **settings)
    assert float(sum(one.sum() for one in moved)) > before
    assert names[:2] + names[-1:] == ["0-00", "0-01", "1-05"] and [len(one) for one in rewards] == [6, 6]
    assert len(set(rewards[0])) == 6, "each member is another network"


def test_equal_rewards_move_nothing():
    moved = weights()
    rules.evolution_strategy(moved, lambda name: 0.5, population=2, iterations=1, sigma=0.01, alpha=1.0, seed=0)
    assert rules.drift(moved, weights())["largest"] < 1e-6


def test_randopt_keeps_what_each_guess_was_worth_and_the_best_come_first():
    there, home = weights(), weights()
    rewards = iter([0.2, 0.5, 0.5, 0.1, 0.4])
    found = rules.randopt(there, lambda name: next(rewards), guesses=5, sigmas=(0.1, 0.2), seed=1)
    assert rules.drift(there, home)["largest"] < 1e-6
    assert {one.sigma for one in found} <= {0.1, 0.2} and len({one.seed for one in found}) == 5
    assert rules.fittest(found, 3) == [1, 2, 4]


def test_drift_by_hand():
    found = rules.drift(
        [torch.tensor([1.0, -2.0]), torch.tensor([0.0, 0.5])], [torch.ones(2), torch.tensor([0.0, 0.5])]
    )
    assert found == {"largest": 3.0, "rms": 1.5, "share_differing": 0.25, "same_bits": False}
    signed = rules.drift([torch.tensor([-0.0])], [torch.tensor([0.0])])
    assert signed["largest"] == 0 and not signed["same_bits"]
