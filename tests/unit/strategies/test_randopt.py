from __future__ import annotations

import pytest
from pydantic import ValidationError

from evoray.config import parse_config
from evoray.errors import ConfigError
from evoray.mutation import Lineage
from evoray.mutation.partition import PartitionConfig
from evoray.strategies.randopt import RandOpt, RandOptSearch
from evoray.strategies.registry import make_strategy


def test_one_round_around_the_parent_and_nothing_to_go_on_from():
    strategy = RandOpt(PartitionConfig(parts=1), 0.1, 3, 4)
    asked = strategy.ask()
    assert [ask.name for ask in asked.asks] == ["parent", *(f"g0000/c{child:04d}" for child in range(4))]
    assert asked.base == Lineage() and all(ask.base == Lineage() for ask in asked.asks)
    strategy.tell([0.0, 1.0, 2.0, 3.0, 4.0])
    assert strategy.ask() is None and strategy.soup is None and strategy.elite == 0


def config(**sections):
    parent = {"name": "resnet18", "weights": "random"}
    search = {"strategy": "randopt", "children": 4, "generations": 1, **sections.pop("search", {})}
    return parse_config({"parent": parent, "data": {"path": "mnist5k"}, "search": search, **sections})


def test_its_perturbations_are_dense():
    found = config()
    assert found.mutation.parts == 1
    children = make_strategy(found).ask().asks[1:]
    assert [len(ask.lineage.entries[0].mutation.indices(50)) for ask in children] == [50] * 4
    with pytest.raises(ConfigError, match=r"mutation\.parts = 10: randopt is dense"):
        config(mutation={"parts": 10})
    with pytest.raises(ConfigError, match=r"mutation\.blocks = 2, mutation\.parts = 3: randopt is dense"):
        config(mutation={"kind": "layered", "blocks": 2, "parts": 3})
    assert config(mutation={"kind": "layered"}).mutation.disjoint == 1


def test_it_draws_once():
    with pytest.raises(ValidationError, match="generations = 2: randopt draws once"):
        RandOptSearch(generations=2)
