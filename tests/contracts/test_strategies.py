"""Every strategy: what is asked for is a function of the seed and of what was told, and nothing else."""

from __future__ import annotations

import functools
import itertools
import json
import math
import pickle
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evoray.config import parse_config
from evoray.mutation import Lineage
from evoray.strategies import STRATEGIES, Ask, make_strategy

GENERATIONS = 3
OWN = "user_strategy:Hill"
"""A user's, which EvoRay does not know."""


def config_of(name, seed=5, **mutation):
    generations = 1 if name == "randopt" else GENERATIONS
    return parse_config(
        {
            "seed": seed,
            "parent": {"name": "resnet18", "weights": "random"},
            "data": {"path": "mnist5k"},
            "mutation": {"sigma": 0.1, **({} if name == "randopt" else {"parts": 5}), **mutation},
            "search": {"strategy": name, "children": 12, "generations": generations},
            "ensemble": {"size": 4},
        }
    )


def variants():
    for name in (*STRATEGIES.names, OWN):
        yield pytest.param(name, {}, id=name)
        if name != "cma-es":
            yield pytest.param(name, {"antithetic": True}, id=f"{name}-antithetic")
            yield pytest.param(name, {"subspace": "static"}, id=f"{name}-static")
        if name != "randopt":
            yield pytest.param(name, {"parts": 1}, id=f"{name}-dense")
            yield pytest.param(name, {"kind": "layered", "blocks": 3, "parts": 2}, id=f"{name}-layered")
        if name not in ("randopt", "cma-es"):
            learns = {"kind": "layered", "blocks": 3, "parts": 2, "allocation": "adaptive", "prices": [1, 0.5, 0.02]}
            yield pytest.param(name, learns, id=f"{name}-adaptive")


every = pytest.mark.parametrize(("name", "mutation"), list(variants()))


def score(ask, salt=0):
    """Any number that is a function of the recipe alone; some fail."""
    if ask.kind == "parent":
        return -1.0
    value = zlib.crc32(json.dumps([ask.lineage.to_json(), salt]).encode()) % 10_007
    return -math.inf if value % 7 == 0 else math.sin(value)


def play(strategy, rounds=10**6, salt=0):
    history = []
    while len(history) < rounds and (asked := strategy.ask()) is not None:
        history.append(asked)
        strategy.tell([score(ask, salt) for ask in asked.asks])
    return history


@every
def test_asking_twice_gives_the_same(name, mutation):
    strategy = make_strategy(config_of(name, **mutation))
    while (asked := strategy.ask()) is not None:
        assert strategy.ask() == asked
        strategy.tell([score(ask) for ask in asked.asks])
        assert len(asked.asks) > 0
    assert strategy.ask() is None


@every
def test_the_seed_alone_decides(name, mutation):
    config = config_of(name, **mutation)
    assert play(make_strategy(config)) == play(make_strategy(config))
    assert play(make_strategy(config)) != play(make_strategy(config_of(name, seed=6, **mutation)))


@every
@pytest.mark.parametrize("rounds", [0, 1, 2, 3])
def test_resumes_identically_from_its_saved_state(name, mutation, rounds):
    config = config_of(name, **mutation)
    straight, stopped, resumed = (make_strategy(config) for _ in range(3))
    whole = play(straight)
    begun = play(stopped, rounds)
    resumed.load_state_dict(json.loads(json.dumps(stopped.state_dict())))
    assert begun + play(resumed) == whole
    assert resumed.soup == straight.soup
    assert resumed.state_dict() == straight.state_dict()


@every
def test_rounds_hand_out_lineages_that_start_with_their_base(name, mutation):
    for asked in play(make_strategy(config_of(name, **mutation))):
        for ask in asked.asks:
            assert isinstance(ask, Ask) and isinstance(ask.lineage, Lineage)
            assert asked.base.is_prefix_of(ask.lineage)
            if ask.kind == "child":
                assert ask.base == asked.base
                assert ask.own >= 1
        pickle.dumps(asked)


@every
def test_names_and_children_are_unique(name, mutation):
    asks = [ask for asked in play(make_strategy(config_of(name, **mutation))) for ask in asked.asks]
    names = [ask.name for ask in asks]
    assert len(set(names)) == len(names)
    children = [ask.lineage for ask in asks if ask.kind == "child"]
    assert len(set(children)) == len(children) == 12 * (1 if name == "randopt" else GENERATIONS)


@every
def test_no_generation_repeats_a_noise_seed(name, mutation):
    """Opposite pairs share one, and CMA-ES draws in fixed directions."""
    drawn = [ask for asked in play(make_strategy(config_of(name, **mutation))) for ask in asked.asks]
    seeds = [ask.lineage.entries[-1].mutation.noise_seed for ask in drawn if ask.kind == "child"]
    antithetic = config_of(name, **mutation).mutation.antithetic
    if name != "cma-es":
        assert len(set(seeds)) == len(seeds) // (2 if antithetic else 1)


@every
def test_antithetic_children_come_in_opposite_pairs(name, mutation):
    if not config_of(name, **mutation).mutation.antithetic:
        return
    for asked in play(make_strategy(config_of(name, **mutation))):
        own = [ask.lineage.entries[-1].mutation for ask in asked.asks if ask.kind == "child"]
        for first, second in zip(own[::2], own[1::2], strict=True):
            assert (first.sign, second.sign) == (1, -1)
            assert first == second.model_copy(update={"sign": 1})


@every
def test_a_static_subspace_is_one_mask_for_the_run(name, mutation):
    config = config_of(name, **mutation)
    drawn = [ask for asked in play(make_strategy(config)) for ask in asked.asks if ask.kind == "child"]
    masks = {(e.mutation.mask_seed, e.mutation.part) for ask in drawn for e in ask.lineage.entries}
    assert (len(masks) == 1) == (config.mutation.subspace == "static")


@every
def test_nothing_better_keeps_the_parent(name, mutation):
    strategy = make_strategy(config_of(name, **mutation))
    while (asked := strategy.ask()) is not None:
        strategy.tell([0.0 if ask.kind == "parent" else -1.0 for ask in asked.asks])
    assert strategy.soup is None


@every
def test_the_answer_was_asked_for_and_is_the_best_it_could_build_on(name, mutation):
    strategy = make_strategy(config_of(name, **mutation))
    asks = {ask.name: ask for asked in play(strategy) for ask in asked.asks}
    if name == "randopt":
        assert strategy.soup is None
    elif strategy.soup is not None:
        assert asks[strategy.soup.name] == strategy.soup
        assert score(strategy.soup) > -1.0


@every
def test_a_round_that_fails_whole_does_not_end_the_search(name, mutation):
    strategy = make_strategy(config_of(name, **mutation))
    asked = strategy.ask()
    strategy.tell([-1.0, *([-math.inf] * (len(asked.asks) - 1))])
    play(strategy)
    assert strategy.ask() is None


@every
def test_tell_wants_one_fitness_a_candidate(name, mutation):
    with pytest.raises(ValueError, match="one fitness"):
        make_strategy(config_of(name, **mutation)).tell([1.0])


@every
def test_lineages_grow_by_a_bounded_number_of_entries(name, mutation):
    rounds = [asked for asked in play(make_strategy(config_of(name, **mutation))) if asked.asks[-1].kind == "child"]
    bases = [len(asked.base.entries) for asked in rounds]
    assert max((after - before for before, after in itertools.pairwise(bases)), default=0) <= 12


@given(st.sampled_from(list(STRATEGIES.names)), st.lists(st.floats(-10, 10), min_size=13, max_size=13), st.data())
@settings(max_examples=60, deadline=None)
def test_failures_rank_below_any_number(name, fitness, data):
    """A failed child is worth what the worst one is, whatever the others' scale."""
    failed = data.draw(st.sets(st.integers(1, 12), max_size=6))
    worst = min(fitness) - 1
    strategies = [make_strategy(config_of(name)) for _ in range(2)]
    strategies[0].tell([-math.inf if i in failed else value for i, value in enumerate(fitness)])
    strategies[1].tell([worst if i in failed else value for i, value in enumerate(fitness)])
    if name in ("evolution-strategy", "cma-es", "one-plus-lambda"):
        # decomposition and mu-lambda would take a bad child where too few are left, but never a failed one
        assert strategies[0].ask() == strategies[1].ask()


@pytest.mark.parametrize("name", [name for name in STRATEGIES.names if name != "randopt"])
def test_each_climbs_a_smooth_hill(name):
    """Fitness: minus the squared distance of the child's weights from a far-away network, 400 weights."""
    from evoray.mutation import Space, TensorSpec, apply_lineage

    space = Space([TensorSpec("w", (400,), "float32", 1.0)])
    aim = np.random.default_rng(1).normal(size=400).astype(np.float32)

    @functools.cache
    def network(lineage):
        return apply_lineage(np.zeros(400, np.float32), space, lineage.entries)

    def height(ask):
        own = ask.lineage.entries[len(ask.base.entries) :]
        return -float(np.square(apply_lineage(network(ask.base).copy(), space, own) - aim).sum())

    values = config_of(name, parts=2, sigma=0.3).model_dump()
    values["search"] |= {"generations": 20, "children": 40}
    strategy = make_strategy(parse_config(values))
    start = -float(np.square(aim).sum())
    while (asked := strategy.ask()) is not None:
        strategy.tell([height(ask) for ask in asked.asks])
    assert height(strategy.soup) > start + {"cma-es": 5, "one-plus-lambda": 5}.get(name, 60)


@pytest.mark.parametrize("name", ["decomposition", "one-plus-lambda", "mu-lambda", "evolution-strategy", OWN])
def test_adaptive_children_follow_the_block_that_gains(name):
    """Only the weights of block 2 count; a user's strategy that tells its kind nothing goes on with equal shares."""
    from evoray.mutation import Space, TensorSpec, apply_lineage

    space = Space([TensorSpec(f"w{i}", (50,), "float32", 1.0) for i in range(4)], (3, 0, 2, 1))
    aim = np.random.default_rng(1).normal(size=50).astype(np.float32)

    def height(ask):
        weights = apply_lineage(np.zeros(200, np.float32), space, ask.lineage.entries)
        return -float(np.square(weights[100:150] - aim).sum())

    learns = {"kind": "layered", "blocks": 4, "parts": 1, "allocation": "adaptive", "prices": [1, 1, 1, 0.2]}
    values = config_of(name, **learns, sigma=0.05, antithetic=name == "evolution-strategy").model_dump()
    values["search"] |= {"generations": 8, "children": 24}
    strategy, children = make_strategy(parse_config(values)), []
    while (asked := strategy.ask()) is not None:
        strategy.tell([height(ask) for ask in asked.asks])
        children += [ask for ask in asked.asks if ask.kind == "child" and ask.generation >= 3]
    blocks = [ask.lineage.entries[-1].mutation.block for ask in children]
    share = blocks.count(2) / len(blocks)
    assert share == 0.25 if name == OWN else share > 0.5


STEPPING = ("mu-lambda", "evolution-strategy", "cma-es")


@pytest.mark.parametrize(("name", "mutation"), [one for one in variants() if one.values[0] in STEPPING])
def test_the_next_step_begins_where_the_last_one_ended(name, mutation):
    """At whichever of its lengths; where no length was better it begins where that one did."""
    ends = {}
    for best in range(4):
        strategy = make_strategy(config_of(name, **mutation))
        strategy.tell([score(ask) for ask in strategy.ask().asks])
        steps = strategy.ask().asks
        strategy.tell([100.0 if number == best else -100.0 for number in range(len(steps))])
        ends[best] = steps[best].lineage if best < len(steps) else Lineage()
        assert (strategy.soup.lineage if strategy.soup else Lineage()) == ends[best]
        asked = strategy.ask()
        if name != "cma-es":
            assert asked.base == ends[best] and all(ends[best].is_prefix_of(ask.lineage) for ask in asked.asks)
    assert len(set(ends.values())) == 4


@every
def test_guards_judge_what_the_next_round_goes_on_from(name, mutation):
    """As many children as it says, or one soup; a strategy whose children make a step has the step judged alone."""
    strategy = make_strategy(config_of(name, **mutation))
    winners = strategy.winners
    assert winners == (0 if name in STEPPING else strategy.elite)
    strategy.tell([score(ask) for ask in strategy.ask().asks])
    if name in STEPPING:
        assert strategy.winners == 1
