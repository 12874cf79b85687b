from __future__ import annotations

import math

import numpy as np
import pytest
from pydantic import ValidationError

from evoray.config import parse_config
from evoray.errors import ConfigError
from evoray.mutation import Lineage
from evoray.mutation.partition import PartitionConfig
from evoray.strategies.cma_es import CmaEs, CmaEsSearch

DIMENSIONS = 4
CONFIG = PartitionConfig(parts=5, subspace="static")


def make(children=8, generations=3, seed=3):
    return CmaEs(CONFIG, 0.1, seed, children, generations, DIMENSIONS)


def point(ask):
    """x of a candidate, from its entries' weights x_i / sqrt(d)."""
    return np.array([entry.weight for entry in ask.lineage.entries]) * math.sqrt(DIMENSIONS)


def test_every_candidate_is_the_parent_plus_the_same_directions():
    strategy = make()
    asked = strategy.ask()
    parent, *children = asked.asks
    assert asked.base == Lineage() == parent.lineage
    directions = [entry.mutation for entry in children[0].lineage.entries]
    assert len(directions) == DIMENSIONS and len({one.noise_seed for one in directions}) == DIMENSIONS
    assert len({(one.mask_seed, one.part) for one in directions}) == 1, "they share one mask"
    for child in children:
        assert [entry.mutation for entry in child.lineage.entries] == directions
        assert (child.own, child.base) == (DIMENSIONS, Lineage())


def test_the_first_candidates_are_standard_normal():
    points = np.array([point(ask) for ask in make(children=400).ask().asks[1:]])
    assert np.abs(points.mean(axis=0)).max() < 0.2
    np.testing.assert_allclose(np.cov(points.T), np.eye(DIMENSIONS), atol=0.25)


def test_a_generations_candidates_are_drawn_anew_and_the_same_whenever_they_are_asked():
    strategy, again = make(), make()
    first = [point(ask).tolist() for ask in strategy.ask().asks[1:]]
    assert first == [point(ask).tolist() for ask in strategy.ask().asks[1:]]
    for one in (strategy, again):
        one.tell([0.0] * 9)
        one.tell([1.0, 2.0, 0.0])
    second = [point(ask).tolist() for ask in strategy.ask().asks[1:]]
    assert second == [point(ask).tolist() for ask in again.ask().asks[1:]]
    assert second != first
    assert first != [point(ask).tolist() for ask in make(seed=4).ask().asks[1:]]


def test_it_finds_a_point_of_its_subspace():
    target = np.array([1.5, -2.0, 0.5, 1.0])
    strategy = make(children=12, generations=25)
    while (asked := strategy.ask()) is not None:
        fitness = []
        for ask in asked.asks:
            x = point(ask) if ask.lineage.entries else np.zeros(DIMENSIONS)
            fitness.append(-float(np.sum((x - target) ** 2)))
        strategy.tell(fitness)
    np.testing.assert_allclose(point(strategy.soup), target, atol=0.05)


def test_only_ranks_are_told():
    """So that a fitness far from all others, or a failure, does not spoil the step."""
    moved = []
    for best, worst in ((5.0, -1.0), (1e300, -math.inf)):
        strategy = make()
        strategy.tell([0.0, best, worst, *(float(number) / 10 for number in range(6))])
        moved.append(point(strategy.ask().asks[1]).tolist())
    assert moved[0] == moved[1]


def test_a_step_of_another_length_moves_the_centre_and_what_is_drawn_around_it():
    means = []
    for told in ([3.0, 2.0, 1.0], [1.0, 2.0, 3.0], [0.0, 0.0, 0.0]):
        strategy = make(children=400)
        strategy.tell([0.0, *map(float, range(400))])
        steps = [point(ask) for ask in strategy.ask().asks]
        np.testing.assert_allclose(steps[0] * 4, steps[1])
        np.testing.assert_allclose(steps[2], steps[1] * 4)
        strategy.tell(told)
        means.append(np.mean([point(ask) for ask in strategy.ask().asks], axis=0))
    short, long, none = means
    np.testing.assert_allclose(short - none, steps[0], atol=1e-9)
    np.testing.assert_allclose(long - none, steps[2], atol=1e-9)


def config(**sections):
    parent = {"name": "resnet18", "weights": "random"}
    search = {"strategy": "cma-es", "children": 8, **sections.pop("search", {})}
    return parse_config({"parent": parent, "data": {"path": "mnist5k"}, "search": search, **sections})


def test_its_subspace_is_static_by_itself():
    assert config().mutation.subspace == "static"


@pytest.mark.parametrize(
    ("sections", "words"),
    [
        ({"mutation": {"subspace": "dynamic"}}, "cma-es learns one subspace"),
        ({"mutation": {"antithetic": True}}, "cma-es draws its own candidates"),
        ({"search": {"racing": True}}, "cma-es learns from every child"),
        ({"search": {"children": 3}}, "children = 3: CMA-ES needs at least 4"),
        ({"search": {"dimensions": 1}}, "dimensions"),
    ],
)
def test_what_does_not_go_with_it_is_refused(sections, words):
    with pytest.raises(ConfigError, match=words):
        config(**sections)


def test_its_smallest_generation_is_four():
    assert CmaEsSearch(children=4).dimensions == 32
    with pytest.raises(ValidationError, match="at least 4"):
        CmaEsSearch(children=1)
