"""Reading the best sigma off probes whose truth is known."""

from __future__ import annotations

import math

import numpy as np
import pytest

from evoray.search.auto_sigma import RHO, Probe, best_sigma, selection_intensity

GRID = [0.0125 * 2**power for power in range(8)]


def probes(rng, curvature, slope, rho, sigmas, pairs=4, images=200):
    """Children with true mean -curvature sigma^2 + N(0, (rho slope sigma)^2), images with spread slope sigma."""
    found = []
    for sigma in sigmas:
        spread = slope * sigma
        first = rng.normal(0, rho * spread, pairs)
        noise = rng.normal(0, spread / math.sqrt(images), pairs)
        damage = -curvature * sigma**2 + rng.normal(0, 0.1 * curvature * sigma**2, (2, pairs))
        found.append(Probe(sigma, damage[0] + first + noise, damage[1] - first - noise, spread**2, images))
    return found


@pytest.mark.parametrize("rho", [0.03, 0.06, 0.12])
@pytest.mark.parametrize("curvature", [0.05, 0.5, 5.0])
def test_finds_the_top_of_the_worth(curvature, rho):
    """worth = -a sigma^2 + i rho^2 / sqrt(rho^2 + 1/N) s sigma has its top at i rho kept s / (2 a)."""
    rng, images, slope = np.random.default_rng(3), 4000, 1.0
    intensity = selection_intensity(40, 8)
    true = intensity * rho * rho / math.sqrt(rho**2 + 1 / images) * slope / (2 * curvature)
    sigmas = [true * 2.0**power for power in range(-5, 4)]
    ratios = [best_sigma(probes(rng, curvature, slope, rho, sigmas), images, intensity).sigma / true for _ in range(20)]
    assert 0.4 < np.median(ratios) < 2.5
    worth = [2 * ratio - ratio**2 for ratio in ratios]  # as a share of the best
    assert np.median(worth) > 0.6


def test_rho_is_learnt_where_the_probes_show_it():
    rng = np.random.default_rng(4)
    sigmas = [0.01 * 2**power for power in range(8)]
    many = probes(rng, 0.01, 1.0, 0.2, sigmas, pairs=50, images=2000)
    assert best_sigma(many, 4000, 1.4).rho == pytest.approx(0.2, rel=0.2)
    none = probes(rng, 0.01, 1.0, 0.0, sigmas, pairs=50, images=2000)
    assert best_sigma(none, 4000, 1.4).rho < RHO / 2


def test_ruined_probes_are_left_out():
    ruined = Probe(1.0, np.array([math.nan]), np.array([math.nan]), math.nan, 1)
    good = [Probe(sigma, np.array([-(sigma**2)]), np.array([-(sigma**2)]), sigma**2, 50) for sigma in (0.01, 0.1)]
    assert 0.01 <= best_sigma([*good, ruined], 1000, 1.0).sigma <= 0.1
    assert best_sigma([ruined, ruined], 1000, 1.0).sigma == 1.0


@pytest.mark.parametrize("seed", range(5))
def test_a_network_that_is_ruined_is_worth_nothing_however_much_its_children_differ(seed):
    """Losses of a network without any normalisation at its end grow by orders of magnitude, and so do differences."""
    rng, found = np.random.default_rng(seed), []
    for sigma in (0.0125, 0.025, 0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 1.0, 1.6, 2.56):
        growth = math.exp(4 * max(sigma - 0.4, 0))
        damage, spread = -6.5 * sigma**2 * growth, 2.4 * sigma * growth
        first = rng.normal(0, 0.25 * spread, 8)
        found.append(Probe(sigma, damage + first, damage - first, spread**2, 1000))
    assert [one.sigma for one in found if one.ruined] == [0.4, 0.8, 1.6, 1.0, 1.6, 2.56]
    chosen = best_sigma(found, 1000, selection_intensity(16, 8))
    assert chosen.sigma < 0.2 and 0 < chosen.worth < 0.1


def bounded(rng, parent, stands, sigmas, images=16):
    """One pair of children a sigma, right or wrong on each record: some records flip with sigma, and beyond ``stands``
    there is no right answer any more."""
    right, found = np.arange(images) < round(parent * images), []
    for sigma in sigmas:
        left, flipped = math.exp(-((sigma / stands) ** 2)), 0.4 * min(1, sigma / stands)
        chance = np.where(right, left * (1 - flipped), left * flipped * right.mean() / (1 - right.mean()))
        differs = (rng.random((2, 1, images)) < chance) - right.astype(float)
        means = differs.mean(axis=2)
        found.append(Probe(sigma, means[0], means[1], float(differs.var(axis=2, ddof=1).mean()), images))
    return found


@pytest.mark.parametrize("stands", [0.03, 0.05, 0.1, 0.3])
@pytest.mark.parametrize("parent", [0.1875, 0.25, 0.5])
def test_a_figure_with_a_floor_does_not_hide_that_no_child_stands(parent, stands):
    """What is lost ends at what the parent had, which may be less than one record's spread: 0.25 against 0.43."""
    rng = np.random.default_rng(7)
    chosen = [best_sigma(bounded(rng, parent, stands, GRID), 64, 1.6).sigma for _ in range(40)]
    assert np.quantile(chosen, 0.9) < 0.6 * stands  # there a child keeps 0.7 of what the parent had


def test_a_language_model_that_no_longer_answers_is_ruined():
    """Dense children of SmolLM2 on 16 products: none answered rightly at 0.1, which had been chosen."""
    damage = [0, 0.03125, -0.09375, -0.25, -0.25, -0.25, -0.25, -0.25]
    spread = [0.342, 0.374, 0.395, 0.447, 0.447, 0.447, 0.447, 0.447]
    known = zip(GRID, damage, spread, strict=True)
    probes = [Probe(sigma, np.array([lost]), np.array([lost]), one**2, 16) for sigma, lost, one in known]
    assert best_sigma(probes, 64, selection_intensity(64, 8)).sigma <= 0.05


def test_losses_that_grow_have_no_floor():
    """Of few weights even the largest sigma loses little; it is not taken for a floor."""
    few = [Probe(0.0125 * 2**k, *[np.array([-1e-3 * 4.0 ** (k - 7)])] * 2, 1e-4 * 4.0**k, 50) for k in range(8)]
    assert best_sigma(few, 1000, 1.6).sigma == pytest.approx(1.6)


def test_where_every_probe_is_ruined_the_smallest_is_chosen():
    ruined = [Probe(sigma, np.array([-10.0 * sigma]), np.array([-9.0 * sigma]), 1e-4, 50) for sigma in (0.4, 0.1, 0.2)]
    assert best_sigma(ruined, 1000, 1.0).sigma == 0.1


def test_selection_intensity_is_the_mean_of_the_best():
    draws = np.random.default_rng(0).normal(size=(20_000, 40))
    assert selection_intensity(40, 8) == pytest.approx(np.sort(draws, axis=1)[:, -8:].mean(), abs=0.02)
    assert selection_intensity(10, 1) == pytest.approx(draws[:, :10].max(axis=1).mean(), abs=0.02)
    assert selection_intensity(4, 8) == 0.5
