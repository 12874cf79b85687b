"""Names in a configuration that stand for classes."""

from __future__ import annotations

import subprocess
import sys

import pytest

from evoray.config import SearchConfig, parse_config
from evoray.config.variants import Variant, Variants
from evoray.errors import ConfigError


class Tree(Variant):
    Section = SearchConfig


class Oak(Tree):
    pass


TREES = Variants("wood.tree", Tree, {"oak": f"{__name__}:Oak"})


@pytest.fixture(autouse=True)
def _importable(monkeypatch):
    """Under importlib mode a test module is no module that a name can find."""
    monkeypatch.setitem(sys.modules, __name__, sys.modules.get(__name__) or sys.modules[Tree.__module__])


def test_a_name_and_a_users_own_class_are_found():
    assert TREES.find("oak") is Oak
    assert TREES.find(f"{__name__}:Tree") is Tree


@pytest.mark.parametrize("name", ["elm", "", 3, None, ["oak"]])
def test_another_name_is_refused_with_those_there_are(name):
    with pytest.raises(ValueError, match=r'tree = .* is none of oak, nor a "package.module:Class"'):
        TREES.find(name)


@pytest.mark.parametrize("name", ["math:pi", "pathlib:Path"])
def test_what_is_no_class_of_the_table_is_refused(name):
    with pytest.raises(ConfigError, match=f'wood.tree = "{name}": derive that class from .*Tree'):
        TREES.find(name)


def test_a_users_class_lies_in_the_configurations_folder(tmp_path):
    (tmp_path / "own_variant_elm.py").write_text(f"from {__name__} import Tree\nclass Elm(Tree): pass\n")
    with pytest.raises(ConfigError, match="no module own_variant_elm"):
        TREES.find("own_variant_elm:Elm")
    try:
        assert issubclass(TREES.find("own_variant_elm:Elm", tmp_path), Tree)
    finally:
        sys.path.remove(str(tmp_path))


def test_names_of_evorays_own_leave_the_path_alone(tmp_path):
    TREES.find("oak", tmp_path)
    assert str(tmp_path) not in sys.path


def test_every_strategy_and_kind_is_parsed_without_torch_or_ray():
    code = """
import sys
from evoray.config import parse_config
from evoray.mutation.registry import KINDS
from evoray.strategies import STRATEGIES
for strategy in STRATEGIES.names:
    for kind in KINDS.names:
        values = {"parent": {"name": "resnet18", "weights": "random"}, "data": {"path": "mnist5k"}}
        search, own = {"strategy": strategy}, {}
        if kind == "towards":
            own = {"towards": ["a.pth", "b.pth"]}
            search |= {"dimensions": 2} if strategy == "cma-es" else {}
        config = parse_config({**values, "search": search, "mutation": {"kind": kind, **own}})
        assert (config.search.strategy, config.mutation.kind) == (strategy, kind)
assert not {"torch", "ray"} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(("given", "found"), [({}, (5, 5)), ({"search": {"elite": 3}, "soup": {"size": 2}}, (3, 2))])
def test_what_the_search_tells_apart_is_the_ensembles_size_unless_given(given, found):
    values = {"parent": {"name": "resnet18", "weights": "random"}, "data": {"path": "mnist5k"}}
    config = parse_config({**values, "ensemble": {"size": 5}, **given})
    assert (config.elite, config.soup_size, config.ensemble.size) == (*found, 5)


def test_a_recorded_run_that_lacks_the_newer_keys_is_the_same_run():
    values = {"parent": {"name": "resnet18", "weights": "random"}, "data": {"path": "mnist5k"}, "ensemble": {"size": 5}}
    recorded = parse_config(values).model_dump(mode="json")
    del recorded["search"]["elite"], recorded["soup"]["size"], recorded["mutation"]["kind"]
    assert parse_config(recorded) == parse_config(values)
