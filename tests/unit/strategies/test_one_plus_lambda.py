from __future__ import annotations

import math

from evoray.mutation import Lineage
from evoray.mutation.partition import PartitionConfig
from evoray.strategies.one_plus_lambda import OnePlusLambda


def make(generations=3):
    return OnePlusLambda(PartitionConfig(parts=4), 0.1, 3, 3, generations)


def test_the_parent_is_evaluated_once_with_the_first_children():
    strategy = make()
    assert [ask.name for ask in strategy.ask().asks] == ["parent", "g0000/c0000", "g0000/c0001", "g0000/c0002"]
    strategy.tell([5.0, 1.0, 2.0, 3.0])
    assert [ask.name for ask in strategy.ask().asks] == ["g0001/c0000", "g0001/c0001", "g0001/c0002"]


def test_the_best_child_is_the_next_base_where_it_is_better():
    strategy = make()
    best = strategy.ask().asks[2]
    strategy.tell([0.0, 1.0, 2.0, 1.5])
    assert strategy.soup == best and strategy.ask().base == best.lineage
    strategy.tell([1.0, 1.9, 0.0])
    assert strategy.soup == best, "nobody was better than the base"
    better = strategy.ask().asks[0]
    strategy.tell([2.1, 0.0, 0.0])
    assert strategy.soup == better and len(better.lineage.entries) == 2
    assert strategy.ask() is None


def test_as_good_as_the_base_is_not_better():
    strategy = make()
    strategy.tell([2.0, 2.0, 2.0, 2.0])
    assert strategy.soup is None and strategy.ask().base == Lineage()


def test_the_first_of_equal_children_is_taken():
    strategy = make()
    first = strategy.ask().asks[1]
    strategy.tell([0.0, 2.0, 2.0, 2.0])
    assert strategy.soup == first


def test_failed_children_replace_nobody():
    strategy = make()
    strategy.tell([-math.inf, -math.inf, -math.inf, -math.inf])
    assert strategy.soup is None
    only = strategy.ask().asks[1]
    strategy.tell([-math.inf, -9.0, -math.inf])
    assert strategy.soup == only, "any number is better than a parent that failed"
