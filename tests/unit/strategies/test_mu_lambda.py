from __future__ import annotations

import math

import pytest
from pydantic import ValidationError

from evoray.mutation.partition import PartitionConfig
from evoray.strategies.mu_lambda import MuLambda, MuLambdaSearch


def moved(fitness, parents, step=None, generations=1, **mutation):
    """Entries of the step of length 1 after one generation, as (weight, number of the child it came from)."""
    config = PartitionConfig(**{"parts": 4, **mutation})
    strategy = MuLambda(config, 0.1, 3, len(fitness), generations, parents, step)
    children = [ask.lineage.entries[0].mutation for ask in strategy.ask().asks[1:]]
    strategy.tell([0.0, *fitness])
    (_, step, *_) = strategy.ask().asks
    return [(entry.weight, children.index(entry.mutation)) for entry in step.lineage.entries if step.kind == "soup"]


def test_the_best_are_taken_each_with_an_equal_share_of_the_step():
    fitness = [1.0, 5.0, 3.0, 4.0, 2.0]
    assert sorted(moved(fitness, 2, step=1.0)) == [(0.5, 1), (0.5, 3)]
    assert sorted(moved(fitness, 4, step=2.0)) == [(0.5, 1), (0.5, 2), (0.5, 3), (0.5, 4)]


@pytest.mark.parametrize(("parents", "weight"), [(1, 1.0), (2, 1.0), (4, 1.0), (5, 0.8), (8, 0.5)])
def test_auto_averages_a_weight_over_those_that_are_expected_to_have_changed_it(parents, weight):
    """min(1, K / μ) with K = 4."""
    found = moved([float(number) for number in range(8)], parents)
    assert [entry for entry, _ in found] == pytest.approx([weight] * parents)


@pytest.mark.parametrize("mutation", [{"subspace": "static"}, {"parts": 1}])
def test_in_a_subspace_that_all_share_auto_is_the_mean(mutation):
    found = moved([1.0, 2.0, 3.0, 4.0], 4, **mutation)
    assert [entry for entry, _ in found] == pytest.approx([0.25] * 4)


def test_failed_children_are_no_parents():
    found = moved([-math.inf, 2.0, -math.inf, 1.0], 3, step=1.0)
    assert sorted(child for _, child in found) == [1, 3]
    assert [weight for weight, _ in found] == pytest.approx([0.5, 0.5])
    assert moved([-math.inf] * 4, 2, generations=2) == [], "the centre stays where it is"


def test_the_base_keeps_its_earlier_entries():
    strategy = MuLambda(PartitionConfig(parts=4), 0.1, 3, 4, 2, 2)
    strategy.tell([0.0, 1.0, 2.0, 3.0, 4.0])
    strategy.tell([1.0, 2.0, 3.0])
    first = strategy.ask().base
    strategy.tell([1.0, 2.0, 3.0, 4.0])
    assert strategy.ask().base == first and len(first.entries) == 2
    strategy.tell([4.0, 5.0, 6.0])
    assert first.is_prefix_of(strategy.soup.lineage) and len(strategy.soup.lineage.entries) == 4


def test_a_quarter_of_the_children_are_parents_unless_they_are_counted():
    assert [MuLambdaSearch(children=count).mu() for count in (1, 3, 4, 40)] == [1, 1, 1, 10]
    assert MuLambdaSearch(children=9, parents=9).mu() == 9
    with pytest.raises(ValidationError, match="parents = 10 is more than children = 9"):
        MuLambdaSearch(children=9, parents=10)
