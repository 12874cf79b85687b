from __future__ import annotations

import math

import numpy as np
import pytest

from evoray.statistics import compare, compare_blocks

GROUPS = 20


def mean(total):
    return total[1] / total[0]


def in_blocks(values):
    table = np.zeros((GROUPS, 2))
    for index, value in enumerate(values):
        table[index % GROUPS] += (1, value)
    return table


def test_of_a_mean_it_agrees_with_the_paired_t_test():
    rng = np.random.default_rng(0)
    parent = rng.exponential(0.3, 4000)
    ours = parent - 0.01 + rng.normal(0, 0.2, 4000)
    blocks = compare_blocks("soup", mean, in_blocks(ours), in_blocks(parent), in_blocks(parent)[:, 0])
    paired = compare("soup", "nll", ours, parent, shares=False, higher_is_better=False)
    assert blocks.difference == pytest.approx(paired.difference)
    width, other = np.diff(blocks.ci95)[0], np.diff(paired.ci95)[0]
    assert width == pytest.approx(other, rel=0.4)


def test_intervals_cover_what_they_should():
    """Of a ratio that is no mean over images; the truth is zero."""
    rng = np.random.default_rng(1)
    covered = 0
    for _ in range(400):
        ours, theirs = (in_blocks(rng.random(400) < 0.7) for _ in range(2))
        low, high = compare_blocks("x", lambda t: t[1] / (t[0] + t[1]), ours, theirs, theirs[:, 0]).ci95
        covered += low <= 0 <= high
    assert covered / 400 == pytest.approx(0.95, abs=0.03)


def test_groups_without_images_and_too_few():
    blocks = in_blocks(np.arange(3.0))
    assert math.isfinite(compare_blocks("x", mean, blocks + 0, blocks, blocks[:, 0]).p_value)
    assert compare_blocks("x", mean, blocks, blocks, blocks[:, 0]).effect == "not shown"
    one = in_blocks([1.0])
    assert compare_blocks("x", mean, one, one, one[:, 0]).effect == "undefined"
    assert compare_blocks("x", lambda t: math.nan, blocks, blocks, blocks[:, 0]).effect == "undefined"
