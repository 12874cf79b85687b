from __future__ import annotations

from evoray.report.measures import BEFORE
from evoray.study.grouping import by_parent, by_search, chosen, measures_of, rows_for_tables


def test_a_setting_is_chosen_by_select_alone(outcome):
    better_on_test = outcome(soup=0.3, select_fitness=-0.9, sigma=0.2)
    better_on_select = outcome(soup=0.5, select_fitness=-0.4, sigma=0.1)
    dense = outcome(side="dense")
    assert chosen([better_on_test, better_on_select, dense]) == [better_on_select, dense]
    assert chosen([better_on_select]) == []  # a case counts once both sides are there


def test_longer_runs_stand_beside_what_was_chosen(outcome):
    longer = outcome(role="long", generations=10)
    assert rows_for_tables([outcome(), longer, outcome(side="dense"), outcome(role="sweep")])[-1] == longer


def test_outcomes_come_together_in_the_studys_order(outcome):
    some = [outcome("b"), outcome("a", generations=10), outcome("b", arm="other"), outcome("b", seed=1)]
    assert [name for name, _ in by_parent(some)] == ["b", "a"]
    assert [(name, len(own)) for name, own in by_search(dict(by_parent(some))["b"])] == [
        ("1 gen., sparse", 2),
        ("1 gen., other", 1),
    ]


def test_figures_are_the_fitness_and_what_stands_beside_it(outcome):
    assert measures_of([outcome()]) == [BEFORE["nll"], BEFORE["top1"]] == measures_of([])
    assert measures_of([outcome(beside=None)]) == [BEFORE["nll"]]
