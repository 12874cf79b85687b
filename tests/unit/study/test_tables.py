from __future__ import annotations

from dataclasses import replace

import pytest

from evoray.report.measures import BEFORE
from evoray.statistics import Comparison
from evoray.study.grouping import LABELS
from evoray.study.tables import (
    ahead_of_parent,
    all_tables,
    in_short,
    one_generation,
    recovered,
    sigma_auto,
    sparse_against_dense,
    window,
)


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


def test_means_come_with_their_spread(outcome):
    some = [outcome(seed=seed, side=side, soup=soup) for seed, soup in enumerate((0.4, 0.5)) for side in SIDES]
    grid = in_short(some)
    assert grid.rows[0][grid.columns.index("Soup NLL")] == "0.4500 ± 0.0707" and "standard deviation" in grid.note
    assert window(some).rows[0][3] == "+0.1000 ± 0.0000"


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
    reference = outcome(role="reference", tested={"nll": dict.fromkeys(LABELS, 0.2)})
    longer = outcome(role="long", arm="sparse", generations=10, best_child=0.6, soup=0.5, ensemble=0.7)
    row = recovered([reference, longer]).rows[0]
    assert row[1:5] == ("10 gen., sparse", "10", "0.6000", "0.2000")
    assert row[5:] == ("0.0%", "+25.0%", "−25.0%")
    assert recovered([longer]).rows == ()


SIDES = ("sparse", "dense")


def of(outcome, key, beside=None):
    """The same cases with another fitness than NLL: 0.6 of the parent, 0.7 of soup and ensemble."""
    values = {"parent": 0.6, "best_child": 0.6, "soup": 0.7, "ensemble": 0.7}
    compared = {
        n: Comparison(n, key, v - 0.6, (v - 0.61, v - 0.59), 0.001, higher_is_better=BEFORE[key].higher_is_better)
        for n, v in values.items()
        if n != "parent"
    }
    more = {"measure": BEFORE[key], "beside": BEFORE.get(beside)}
    more["tested"] = {key: values} | ({beside: dict.fromkeys(values, 0.25)} if beside else {})
    more["comparisons"] = {key: compared} | ({beside: {}} if beside else {})
    return [*(outcome(side=side, **more) for side in SIDES), outcome(role="long", arm="sparse", **more)]


@pytest.mark.parametrize(("key", "name"), [("macro-f1", "macro F1"), ("top1", "top-1"), ("worst-class", "worst class")])
def test_a_fitness_of_shares_is_spoken_of_in_percent(outcome, key, name):
    tables = {one.title: one for one in all_tables(of(outcome, key))}
    said = " ".join(" ".join((one.title, *one.columns, one.note)) for one in tables.values())
    assert "NLL" not in said and "nats" not in said and f"Soup {name}" in said and "higher is better" in said
    assert tables["Parents"].rows[0][2] == "60.00%"
    first = tables["One generation: dense against sparse"]
    assert first.rows[0][first.columns.index(f"Soup {name}")] == "+10.00" and "percentage points" in first.note
    assert tables["In short"].rows[0][-1] == "2 of 2"
    assert "[+9.00, +11.00]" in tables["Case by case"].rows[0][-1]


def test_a_fitness_that_is_better_lower_and_a_figure_beside_it(outcome):
    tables = {one.title: one for one in all_tables(of(outcome, "cost", "nll"))}
    first, networks = tables["One generation: dense against sparse"], ("Best child", "Soup", "Ensemble")
    assert first.columns[3:] == tuple(f"{who} {what}" for what in ("cost", "NLL") for who in networks)
    assert first.rows[0][4] == "+0.1000" and "cost (per image, lower is better)" in first.note
    assert tables["In short"].rows[0][-1] == "0 of 2", "a cost that grew is not better"
    assert tables["Parents"].columns == ("Parent", "Seeds", "Cost", "NLL")


def test_runs_of_two_fitnesses_have_tables_of_their_own(outcome):
    titles = [one.title for one in all_tables([*of(outcome, "macro-f1"), *of(outcome, "nll")])]
    assert "Parents (macro F1)" in titles and "Parents (NLL)" in titles


@pytest.mark.parametrize(("key", "ahead"), [("top1", "0 of 1"), ("cost", "1 of 1")])
def test_sparse_is_ahead_where_its_fitness_is_better(outcome, key, ahead):
    sparse, dense, _ = of(outcome, key)
    sparse = replace(sparse, tested={key: dict.fromkeys(LABELS, 0.1)})
    assert [row[3] for row in sparse_against_dense([sparse, dense]).rows] == [ahead] * 3


@pytest.mark.parametrize(("auto", "within"), [(0.77, "1 of 1"), (0.75, "0 of 1")])
def test_auto_against_a_sweep_by_a_share(outcome, auto, within):
    measure = {"measure": BEFORE["top1"], "beside": None}
    swept = [outcome(role="sweep", **measure, tested={"top1": dict.fromkeys(LABELS, soup)}) for soup in (0.8, 0.5)]
    grid = sigma_auto([*swept, outcome(role="auto", **measure, tested={"top1": dict.fromkeys(LABELS, auto)})])
    assert within in grid.note and "highest on test" in grid.note
