from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from pydantic import ValidationError

from evoray.mutation.partition import PartitionConfig
from evoray.strategies.evolution_strategy import EvolutionStrategy, EvolutionStrategySearch, estimate
from evoray.strategies.sampling import draw_children

RATE, BETA, PARTS = 0.5, 0.5, 4


def make(children=6, generations=4, beta=BETA, adaptive=False, **mutation):
    config = PartitionConfig(**{"parts": PARTS, **mutation})
    return EvolutionStrategy(config, 0.1, 3, children, generations, RATE, beta, adaptive)


def drawn(count, fitness, **mutation):
    children = draw_children(PartitionConfig(parts=PARTS, **mutation), 0.1, 3, 0, count, make().ask().base)
    return list(zip(fitness, children, strict=True)), [ask.lineage.entries[-1].mutation for ask in children]


def test_an_estimate_weighs_each_child_by_its_centred_rank():
    pairs, mutations = drawn(5, [3.0, 1.0, 100.0, 2.0, -7.0])
    found = {mutations.index(entry.mutation): entry.weight for entry in estimate(pairs, antithetic=False)}
    assert found == {0: 0.25, 1: -0.25, 2: 0.5, 4: -0.5}, "the middle child has no weight, and so no entry"


def test_an_antithetic_pair_is_one_entry_with_the_difference_of_its_ranks():
    pairs, mutations = drawn(6, [5.0, 0.0, 1.0, 4.0, 2.0, 3.0], antithetic=True)
    found = {mutations.index(entry.mutation): entry.weight for entry in estimate(pairs, antithetic=True)}
    assert found == pytest.approx({0: 1.0, 2: -0.6, 4: -0.2})
    assert all(mutations[number].sign == 1 for number in found)


def played(strategy, generations, lengths=(1.0,)):
    """Coefficient c of every entry, and the centre's weights, after each generation; fitness is drawn by chance.

    lengths: of the steps, in turn; 0 for none.
    """
    random = np.random.default_rng(0)
    estimates, centres = [], []
    for generation in range(generations):
        asked = strategy.ask()
        fitness = random.normal(size=len(asked.asks)).tolist()
        pairs = [pair for pair in zip(fitness, asked.asks, strict=True) if pair[1].kind == "child"]
        estimates.append({entry.mutation: entry.weight for entry in estimate(pairs, strategy._mutation.antithetic)})
        strategy.tell(fitness)
        wanted = f"stepx{lengths[generation % len(lengths)]:g}"
        strategy.tell([100.0 + generation if ask.name.endswith(wanted) else -100.0 for ask in strategy.ask().asks])
        centre = strategy.soup.lineage.entries if strategy.soup else ()
        centres.append({entry.mutation: entry.weight for entry in centre})
    return estimates, centres


def expected_centres(estimates, beta, lengths, steps=(1.0, 1.0, 1.0, 1.0)):
    """The module's recursion, written out: m = beta m + (1 - beta) g, centre += rate * m / ((1 - beta^t) N_t)."""
    moment, centre, found = {}, {}, []
    for time, (own, length, step) in enumerate(zip(estimates, lengths, steps, strict=True), 1):
        keys = moment.keys() | own.keys()
        moment = {key: beta * moment.get(key, 0.0) + (1 - beta) * own.get(key, 0.0) for key in keys}
        for key in moment:
            centre[key] = centre.get(key, 0.0) + step * RATE * moment[key] / ((1 - beta**time) * length)
        found.append(dict(centre))
    return found


@pytest.mark.parametrize("beta", [0.0, 0.5, 0.9])
@pytest.mark.parametrize(
    ("mutation", "length"),
    [
        ({}, math.sqrt(6 / 4 / 12)),  # ranks without meaning have variance 1/12; 6 children of K = 4 overlap 6/4 times
        ({"antithetic": True}, math.sqrt(1 / 6)),  # three pairs, which do not overlap
        ({"subspace": "static"}, math.sqrt(6 / 12)),
    ],
)
def test_the_closed_form_is_the_recursion(mutation, length, beta):
    estimates, centres = played(make(beta=beta, **mutation), 4)
    for found, expected in zip(centres, expected_centres(estimates, beta, [length] * 4), strict=True):
        assert found.keys() == expected.keys()
        assert [found[key] for key in expected] == pytest.approx(list(expected.values()))


def test_steps_that_were_shorter_or_not_made_keep_their_momentum():
    estimates, centres = played(make(generations=5), 4, lengths := (0.25, 1.0, 0.0, 0.0625))
    expected = expected_centres(estimates, BETA, [math.sqrt(6 / 4 / 12)] * 4, lengths)
    for found, wanted in zip(centres, expected, strict=True):
        assert found == pytest.approx({key: weight for key, weight in wanted.items() if key in found})
    assert centres[2] == centres[1] and len(centres[3]) == len(expected[3])


def test_adams_length_is_the_running_root_mean_square_of_the_estimates():
    estimates, centres = played(make(adaptive=True), 4)
    second, lengths = 0.0, []
    for time, own in enumerate(estimates, 1):
        second = 0.9 * second + 0.1 * np.mean(np.square(list(own.values())))
        lengths.append(math.sqrt(second / (1 - 0.9**time) * 6 / PARTS))
    for found, expected in zip(centres, expected_centres(estimates, BETA, lengths), strict=True):
        assert [found[key] for key in expected] == pytest.approx(list(expected.values()))


def test_without_momentum_earlier_weights_stay_to_the_bit():
    _, centres = played(make(beta=0.0), 3)
    for before, after in pairwise(centres):
        assert all(after[key] == weight for key, weight in before.items())


def test_children_that_are_all_equal_move_nothing():
    strategy = make()
    for generation in range(3):
        assert {ask.generation for ask in strategy.ask().asks} == {generation} and strategy.soup is None
        strategy.tell([1.0] * len(strategy.ask().asks))


def test_a_failure_is_a_rank_like_another():
    strategy = make(children=2)
    worst = strategy.ask().asks[2].lineage.entries[-1].mutation
    strategy.tell([0.0, 1.0, -math.inf])
    weights = {entry.mutation: entry.weight for entry in strategy.ask().asks[1].lineage.entries}
    assert weights[worst] < 0 and sum(weights.values()) == pytest.approx(0)


def test_a_step_needs_two_to_compare():
    with pytest.raises(ValidationError, match="children = 1: a step needs at least two"):
        EvolutionStrategySearch(children=1)
    assert make().elite == 6, "it learns from every child"
