"""``[search]``: one variant a strategy, each with keys of its own."""

from __future__ import annotations

import pytest

from evoray.config import parse_config
from evoray.errors import ConfigError


def run_with(search=None, mutation=None):
    return parse_config(
        {
            "parent": {"name": "resnet18", "weights": "random"},
            "data": {"path": "mnist5k"},
            "search": search or {},
            "mutation": mutation or {},
        }
    )


@pytest.mark.parametrize(
    ("search", "mutation", "words"),
    [
        ({"strategy": "hill-climbing"}, {}, "none of decomposition, one-plus-lambda"),
        ({"strategy": 3}, {}, "none of decomposition"),
        ({"elite": 0}, {}, r"search\.elite"),
        ({}, {"kind": "gaussian"}, 'mutation: kind = "gaussian" is none of partition'),
        ({}, {"kind": "partition", "blocks": 3}, r"unknown key mutation\.blocks = 3"),
        ({"learning_rate": 1.0}, {}, r"unknown key search\.learning_rate"),
        ({"strategy": "one-plus-lambda", "children": 0}, {}, r"search\.children = 0"),
        ({"strategy": "mu-lambda", "children": 4, "parents": 5}, {}, r"parents = 5 is more than children = 4"),
        ({"strategy": "mu-lambda", "step": 0}, {}, r"search\.step"),
        ({"strategy": "evolution-strategy", "momentum": 1.0}, {}, r"search\.momentum = 1\.0"),
        ({"strategy": "evolution-strategy", "optimizer": "sgd"}, {}, r"search\.optimizer"),
        ({"strategy": "evolution-strategy", "children": 1}, {}, "at least two"),
        ({"strategy": "cma-es", "dimensions": 1}, {}, r"search\.dimensions = 1"),
        ({"strategy": "cma-es", "children": 3}, {}, "at least 4"),
        ({"strategy": "cma-es"}, {"subspace": "dynamic"}, "mutation.subspace"),
        ({"strategy": "cma-es"}, {"antithetic": True}, "mutation.antithetic"),
        ({"strategy": "randopt", "generations": 2}, {}, "leave it at 1"),
        ({"strategy": "randopt"}, {"parts": 10}, "randopt is dense"),
    ],
)
def test_a_wrong_key_is_named(search, mutation, words):
    with pytest.raises(ConfigError, match=words) as caught:
        run_with(search, mutation)
    assert "\n" not in str(caught.value)


def test_a_strategy_brings_the_mutation_keys_it_needs():
    assert run_with({"strategy": "cma-es"}).mutation.subspace == "static"
    assert run_with({"strategy": "randopt"}).mutation.parts == 1
    assert run_with({"strategy": "evolution-strategy"}).mutation.antithetic
    assert not run_with({"strategy": "evolution-strategy"}, {"antithetic": False}).mutation.antithetic
    assert run_with().mutation.model_dump() == run_with({"strategy": "mu-lambda"}).mutation.model_dump()


@pytest.mark.parametrize("strategy", ["decomposition", "mu-lambda", "evolution-strategy", "cma-es", "randopt"])
def test_a_checked_configuration_is_read_back(strategy):
    config = run_with({"strategy": strategy})
    assert parse_config(config.model_dump(mode="json")) == config
