"""Races on numbers: what is lost stays within what was said, whatever the children are like."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evoray.statistics import top_k


def run_race(scores, k, confidence, budget=None, seed=0):
    """(true best k that went to the end, images spent, expected loss by confidence and by budget); scores [m, N]."""
    children, images = scores.shape
    scores = scores[:, np.random.default_rng(seed).permutation(images)]
    sums, squares = np.cumsum(scores, 1), np.cumsum(scores**2, 1)
    looks, spent, before = top_k.schedule(images), 0, 0
    shares = top_k.shares(looks)
    standing = top_k.Standing(*np.zeros((3, children)))
    alive, risk, forced = np.arange(children), 0.0, 0.0
    for at, seen in enumerate(looks):
        spent += len(alive) * (seen - before)
        before = seen
        standing.seen[alive], standing.total[alive] = seen, sums[alive, seen - 1]
        standing.squares[alive] = squares[alive, seen - 1]
        if at == len(looks) - 1 or len(alive) <= k:
            continue
        chance = top_k.chances(standing, alive, images, k - risk - forced)
        affordable = len(alive) if budget is None else top_k.affordable(budget - spent, looks, at)
        dropped = top_k.drop(chance, k, (1 - confidence) * k * shares[at], affordable)
        risk, forced = risk + dropped.risk, forced + dropped.forced
        alive = np.delete(alive, np.concatenate([dropped.hopeless, dropped.unaffordable]))
    true = np.argsort(-scores.mean(1), kind="stable")[:k]
    return len(np.intersect1d(true, alive)), spent, risk, forced


def children(rng, kind, spread, count=128, images=1500):
    """Scores whose true means are alike, normal, skewed to the bad side, or in two groups; heavy-tailed images."""
    means = {
        "alike": np.zeros(count),
        "normal": rng.normal(0, spread, count),
        "skewed": -spread * rng.exponential(1, count),
        "two groups": spread * (2 * (rng.random(count) < 0.1) - 1),
    }[kind]
    return means[:, None] + rng.standard_t(3, (count, images)) / np.sqrt(3)


@pytest.mark.parametrize(
    ("spread", "kind"),
    [(0.0, "alike"), *itertools.product((0.03, 0.1), ("normal", "skewed", "two groups"))],
)
def test_no_more_is_lost_than_was_said(kind, spread):
    """Over 15 races with 8 best each; three standard errors of a Poisson count above the bound would be a fault."""
    rng = np.random.default_rng(7)
    races = [run_race(children(rng, kind, spread), 8, 0.9) for _ in range(15)]
    lost = sum(8 - race[0] for race in races)
    said = sum(race[2] for race in races)
    assert said <= 15 * 0.1 * 8 + 1e-9
    assert lost <= said + 3 * np.sqrt(said)


def test_clear_differences_save_most_of_the_work():
    rng = np.random.default_rng(8)
    kept, spent, *_ = run_race(children(rng, "normal", 0.3), 8, 0.99)
    assert kept >= 7
    assert spent < 0.3 * 128 * 1500


def test_what_a_budget_costs_is_said():
    rng = np.random.default_rng(9)
    races = [run_race(children(rng, "alike", 0), 8, 0.99, budget=128 * 1500 / 4) for _ in range(20)]
    lost, said = sum(8 - race[0] for race in races), sum(race[2] + race[3] for race in races)
    assert all(race[1] <= 128 * 1500 / 4 for race in races)
    assert said > 10
    assert abs(lost - said) < 3 * np.sqrt(said)


@pytest.mark.parametrize("images", [1, 5, 127, 128, 200, 2100, 10**6])
def test_a_schedule_ends_with_all_images(images):
    looks = top_k.schedule(images)
    assert looks[-1] == images
    assert all(before < after for before, after in zip([0, *looks], looks, strict=False))
    assert len(looks) <= 9
    assert top_k.shares(looks).sum() == pytest.approx(int(len(looks) > 1))


@given(
    st.lists(st.floats(-1, 1), min_size=3, max_size=40),
    st.integers(1, 20),
    st.integers(2, 500),
    st.floats(0, 5),
)
@settings(max_examples=150, deadline=None)
def test_chances_add_up_to_k_and_follow_the_means(means, k, seen, spread):
    count = len(means)
    total = np.array(means) * seen
    squares = total**2 / seen + (spread + 1e-6) * seen
    standing = top_k.Standing(np.full(count, float(seen)), total, squares)
    found = top_k.chances(standing, np.arange(count), 1000, k)
    assert found.shape == (count,)
    assert ((found >= 0) & (found <= 1)).all()
    assert min(k, count) - 1e-3 <= found.sum() <= 2 * min(k, count) + 1e-3
    order = np.argsort(means, kind="stable")
    assert (np.diff(found[order]) >= -1e-9).all()


@given(st.lists(st.floats(0, 1), min_size=1, max_size=50), st.integers(1, 20), st.floats(0, 5), st.integers(0, 60))
def test_a_drop_stays_within_its_risk_and_keeps_k(chance, k, allowed, affordable):
    chance = np.array(chance)
    dropped = top_k.drop(chance, k, allowed, affordable)
    gone = np.concatenate([dropped.hopeless, dropped.unaffordable])
    assert len(np.unique(gone)) == len(gone)
    assert dropped.risk <= allowed + 1e-9
    left = len(chance) - len(gone)
    assert left >= min(k, len(chance))
    assert left <= max(affordable, k)
    if len(gone) and left:
        assert chance[gone].max() <= np.delete(chance, gone).min()


def test_the_population_is_found_again():
    rng = np.random.default_rng(2)
    means = rng.normal(0.2, 0.05, 4000)
    scores = means[:, None] + rng.normal(0, 1, (4000, 100))
    standing = top_k.Standing(np.full(4000, 100.0), scores.sum(1), (scores**2).sum(1))
    found = top_k.free_population(standing)
    centre = (found.weights * found.grid).sum()
    assert centre == pytest.approx(0.2, abs=0.01)
    assert np.sqrt((found.weights * (found.grid - centre) ** 2).sum()) == pytest.approx(0.05, rel=0.3)
    assert standing.variance == pytest.approx(1, rel=0.02)
