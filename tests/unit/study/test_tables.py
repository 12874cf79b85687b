from __future__ import annotations

import pytest

from evoray.study.tables import (
    ahead_of_parent,
    all_tables,
    chosen,
    in_short,
    one_generation,
    recovered,
    sigma_auto,
    sparse_against_dense,
    window,
)


def test_a_setting_is_chosen_by_select_alone(outcome):
    better_on_test = outcome(soup=0.3, select_fitness=-0.9, sigma=0.2)
    better_on_select = outcome(soup=0.5, select_fitness=-0.4, sigma=0.1)
    dense = outcome(side="dense")
    assert chosen([better_on_test, better_on_select, dense]) == [better_on_select, dense]
    assert chosen([better_on_select]) == []  # a case counts once both sides are there


def test_wins_are_counted_over_cases(outcome):
    pairs = [(0.40, 0.45), (0.40, 0.39), (0.40, 0.50)]
    outcomes = [
        outcome(seed=seed, side=side, soup=soup)
        for seed, pair in enumerate(pairs)
        for side, soup in zip(("sparse", "dense"), pair, strict=True)
    ]
    rows = {row[2]: row for row in sparse_against_dense(outcomes).rows}
    assert rows["Soup"][3] == "2 of 3"
    assert rows["Soup"][4].startswith("−0.0467 [")  # (−0.05 + 0.01 − 0.10) / 3
    assert rows["Ensemble"][3] == "0 of 3"  # equal is not ahead


def test_differences_are_to_the_parent(outcome):
    grid = one_generation([outcome(soup=0.5), outcome(side="dense", soup=0.7)])
    soups = {row[1]: row[grid.columns.index("Soup NLL")] for row in grid.rows}
    assert soups == {"sparse": "−0.1000", "dense": "+0.1000"}


def test_shown_better_needs_the_interval_clear_of_zero(outcome):
    assert ahead_of_parent(outcome(soup=0.5, ensemble=0.7))
    assert not ahead_of_parent(outcome(soup=0.595, ensemble=0.7))  # its interval is −0.015 to +0.005
    grid = in_short([outcome(soup=0.5), outcome(side="dense", soup=0.7, ensemble=0.7)])
    assert [row[-1] for row in grid.rows] == ["1 of 1", "0 of 1"]


def test_the_window_counts_a_run_once(outcome):
    one = outcome()
    twice = [one, outcome(role="sweep", run=one.run)]
    assert window(twice).rows == window([one]).rows
    assert window([one]).rows[0][3:] == ("+0.1000", "0.2000", "−0.1000", "25.00%", "0")


@pytest.mark.parametrize(("auto", "within"), [(0.42, "1 of 1"), (0.43, "0 of 1")])
def test_auto_is_held_against_the_best_of_the_sweep(outcome, auto, within):
    swept = [outcome(role="sweep", sigma=sigma, soup=soup) for sigma, soup in ((0.1, 0.5), (0.2, 0.4))]
    grid = sigma_auto([*swept, outcome(role="auto", soup=auto)])
    assert within in grid.note


def test_without_outcomes_there_are_no_tables():
    assert all_tables([]) == []


def test_the_share_of_the_gap_that_is_closed(outcome):
    # the parent's NLL is 0.6, the reference's 0.2
    reference = outcome(role="reference", nll={"parent": 0.2, "best_child": 0.2, "soup": 0.2, "ensemble": 0.2})
    longer = outcome(role="long", arm="sparse", generations=10, best_child=0.6, soup=0.5, ensemble=0.7)
    row = recovered([reference, longer]).rows[0]
    assert row[1:5] == ("10 gen., sparse", "10", "0.6000", "0.2000")
    assert row[5:] == ("0.0%", "+25.0%", "−25.0%")
    assert recovered([longer]).rows == ()
