from __future__ import annotations

import itertools
import json
import math

import numpy as np
import pytest

from evoray.mutation import Lineage
from evoray.mutation.partition import PartitionConfig
from evoray.strategies.decomposition import Decomposition, soup_plan


def make(children=12, generations=2, size=4, **mutation):
    config = PartitionConfig(parts=mutation.pop("parts", 5), **mutation)
    return Decomposition(config, 0.1, seed=3, children=children, generations=generations, soup_size=size)


def score(ask):
    """A fitness that is a function of the lineage alone."""
    return -1.0 if ask.kind == "parent" else float(np.sin(hash(ask.lineage) % 10_007))


def play(strategy, rounds=None):
    history = []
    for _ in itertools.count() if rounds is None else range(rounds):
        asked = strategy.ask()
        if asked is None:
            break
        history.append(asked)
        strategy.tell([score(ask) for ask in asked.asks])
    return history


def test_children_of_one_mask_seed_are_disjoint_and_whole():
    children = make().ask().asks[1:6]
    masks = [ask.lineage.entries[-1].mutation.indices(103) for ask in children]
    assert sorted(np.concatenate(masks).tolist()) == list(range(103))
    assert len({ask.lineage.entries[-1].mutation.noise_seed for ask in children}) == 5


def test_more_children_than_parts_start_another_mask():
    mutations = [ask.lineage.entries[-1].mutation for ask in make().ask().asks[1:]]
    assert [m.part for m in mutations] == [i % 5 for i in range(12)]
    assert len({m.mask_seed for m in mutations}) == 3


def test_rounds_are_children_then_soups():
    history = play(make())
    assert [(asked.asks[-1].generation, asked.asks[-1].kind) for asked in history] == [
        (0, "child"),
        (0, "soup"),
        (1, "child"),
        (1, "soup"),
    ]
    assert all(asked.base.is_prefix_of(ask.lineage) for asked in history for ask in asked.asks)


def test_soup_plan_ends_with_the_largest():
    assert list(soup_plan(1)) == []
    assert list(soup_plan(3)) == [(2, 1.0), (2, 2.0), (3, 1.0), (3, 1.5), (3, 3.0)]
    assert {size for size, _ in soup_plan(8)} == {2, 4, 8}


def test_the_mean_soup_weighs_each_member_equally():
    strategy = make(generations=1)
    strategy.tell([score(ask) for ask in strategy.ask().asks])
    mean = next(ask for ask in strategy.ask().asks if ask.name.endswith("soup04x1"))
    assert [entry.weight for entry in mean.lineage.entries] == [0.25] * 4


def test_nothing_better_keeps_the_parent():
    strategy = make(generations=1)
    while (asked := strategy.ask()) is not None:
        strategy.tell([0.0 if ask.kind == "parent" else -1.0 for ask in asked.asks])
    assert strategy.soup is None


def test_failed_children_are_no_part_of_a_soup():
    strategy = make(generations=1)
    asks = strategy.ask().asks
    strategy.tell([-1.0, *([-math.inf] * 11), 2.0])
    assert strategy.ask() is None
    assert strategy.soup == asks[-1]


@pytest.mark.parametrize("rounds", range(5))
def test_resumes_identically_from_its_saved_state(rounds):
    straight, stopped, resumed = make(), make(), make()
    play(straight)
    play(stopped, rounds)
    resumed.load_state_dict(json.loads(json.dumps(stopped.state_dict())))
    play(resumed)
    assert resumed.soup == straight.soup
    assert resumed.state_dict() == straight.state_dict()


def test_tell_wants_one_fitness_a_candidate():
    with pytest.raises(ValueError, match="one fitness"):
        make().tell([1.0])


def test_the_seed_alone_decides_the_children():
    assert make().ask() == make().ask()
    assert make().ask().base == Lineage()
