"""Places in the picture are those of the numbers."""

from __future__ import annotations

import re

import pytest

from evoray.report.measures import BEFORE
from evoray.watching.picture import BOTTOM, HEIGHT, LEFT, POINTS, RIGHT, TOP, WIDTH, rounds_picture

NLL = BEFORE["nll"]


def rounds(best, mean=None):
    return [
        {"figures": {"best": {"nll": one}, "mean": {"nll": other}}}
        for one, other in zip(best, mean or best, strict=True)
    ]


def lines(svg):
    found = re.findall(r'<polyline points="([^"]*)"', svg)
    return [[tuple(map(float, point.split(","))) for point in one.split()] for one in found]


def test_better_is_where_the_axis_says():
    mean, best = lines(rounds_picture(rounds([0.4, 0.2], [0.5, 0.3]), None, NLL))
    assert [x for x, _ in best] == [LEFT, WIDTH - RIGHT]
    assert best[1][1] > best[0][1] > mean[0][1]  # lower values stand lower: larger y
    low, high = 0.2 - 0.3 * 0.08, 0.5 + 0.3 * 0.08
    assert best[1][1] == pytest.approx(TOP + (HEIGHT - TOP - BOTTOM) * (high - 0.2) / (high - low), abs=0.06)


def test_the_parent_has_a_line_and_a_name():
    svg = rounds_picture(rounds([0.4]), 0.45, NLL)
    assert "var(--parent)" in svg and ">Parent<" in svg
    assert "Parent" not in rounds_picture(rounds([0.4]), None, NLL)


@pytest.mark.parametrize(
    "damaged",
    [[], [{}], [{"figures": 7}], [{"figures": {"best": {"nll": "x"}}}], rounds([None]), rounds([float("nan")])],
)
def test_nothing_to_draw(damaged):
    assert rounds_picture(damaged, 0.5, NLL) is None


def test_a_round_without_a_value_is_left_out():
    mean, best = lines(rounds_picture(rounds([0.4, None, 0.2]), None, NLL))
    assert len(best) == len(mean) == 2


def test_values_that_are_all_the_same():
    (y,) = {y for line in lines(rounds_picture(rounds([0.0, 0.0]), 0.0, NLL)) for _, y in line}
    assert TOP < y < HEIGHT - BOTTOM


def test_many_rounds_are_thinned_and_the_last_one_stays():
    svg = rounds_picture(rounds([1 / (n + 1) for n in range(10_000)]), None, NLL)
    assert len(lines(svg)[1]) <= POINTS + 1 and len(svg) < 30_000
    assert lines(svg)[1][-1][0] == WIDTH - RIGHT
