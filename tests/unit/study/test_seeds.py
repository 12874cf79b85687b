from __future__ import annotations

import pytest

from evoray.study.cells import Figures
from evoray.study.seeds import COLUMNS, seed_by_seed, seed_by_seed_beside


def pairs(outcome, soups):
    return [outcome(seed=seed, side=side, soup=soup) for seed, soup in enumerate(soups) for side in ("sparse", "dense")]


def test_every_seed_stands_beside_mean_deviation_and_interval(outcome):
    grid = seed_by_seed(pairs(outcome, (0.4, 0.5, 0.6)))
    assert grid.columns[:7] == ("Parent", "Search", "Network", "Seed 0", "Seed 1", "Seed 2", "Seeds")
    soup = dict(
        zip(grid.columns, next(row for row in grid.rows if row[1:3] == ("1 gen., sparse", "Soup")), strict=True)
    )
    assert [soup[f"Seed {seed}"] for seed in range(3)] == ["0.4000", "0.5000", "0.6000"]
    # t(0.975, 2) = 4.302653; 0.1 / sqrt(3) of it to each side
    assert soup["Mean"] == "0.5000 [0.2516, 0.7484]" and soup["SD"] == "0.1000" and soup["Seeds"] == "3"
    assert soup["Minus parent's"] == "−0.1000 [−0.3484, +0.1484]"
    assert isinstance(soup["Mean"], Figures) and soup["Mean"].parts == ("0.5000", "0.2516", "0.7484")


def test_the_parent_has_no_difference_to_itself(outcome):
    grid = seed_by_seed(pairs(outcome, (0.4, 0.5)))
    parent = next(row for row in grid.rows if row[2] == "Parent")
    assert parent[-1] == "–" and parent[3:5] == ("0.6000", "0.6000")


def test_a_seed_that_is_not_there_yet_is_no_number(outcome):
    some = pairs(outcome, (0.4, 0.5)) + [outcome("other", seed=2, side=side) for side in ("sparse", "dense")]
    soup = next(row for row in seed_by_seed(some).rows if row[0] == "cnn" and row[2] == "Soup")
    assert soup[3:7] == ("0.4000", "0.5000", "–", "2")


def test_one_seed_has_no_spread(outcome):
    soup = next(row for row in seed_by_seed(pairs(outcome, (0.4,))).rows if row[2] == "Soup")
    assert soup[3:] == ("0.4000", "1", "0.4000", "–", "−0.2000")


def test_many_seeds_have_no_columns_but_their_spread(outcome):
    grid = seed_by_seed(pairs(outcome, [0.4] * (COLUMNS + 1)))
    assert grid.columns[3] == "Seeds" and grid.rows[0][3] == str(COLUMNS + 1)


@pytest.mark.parametrize(("beside", "title"), [(True, "Seed by seed: top-1 accuracy"), (False, None)])
def test_the_figure_beside_has_a_table_too(outcome, beside, title):
    more = {} if beside else {"beside": None}
    grid = seed_by_seed_beside([outcome(**more), outcome(side="dense", **more)])
    assert (grid and grid.title) == title
