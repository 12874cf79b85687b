from __future__ import annotations

import pytest

from evoray.begin.explain import Key, SectionOf, all_sections, explained
from evoray.config import RunConfig, parse_config
from evoray.config.allowed import as_toml
from evoray.config.loading import parse_toml
from evoray.errors import ConfigError


def test_a_key_is_found_by_its_whole_name():
    (found,) = explained("compute.batch_size")
    assert isinstance(found, Key)
    assert (found.default, found.required) == ("256", False)
    assert found.takes == 'a whole number from 1 to 1,048,576, or "auto"'
    assert found.declared == "evoray.config.schema.ComputeConfig"


def test_a_last_name_stands_for_every_key_of_it():
    names = [found.name for found in explained("name")]
    assert {"parent.name", "task.name", "fitness.name", "guard.name"} <= set(names)


def test_a_key_with_two_meanings_has_both_and_says_where():
    first, second = explained("mutation.sigma")
    assert first.goes_with == ('kind = "partition"', 'kind = "towards"')
    assert second.goes_with == ('kind = "layered"',) and "list of numbers" in second.takes


@pytest.mark.parametrize("name", ["search", "[search]", " [search] "])
def test_a_section_has_its_keys_and_its_variants(name):
    (found,) = explained(name)
    assert isinstance(found, SectionOf) and "cma-es" in found.variants
    assert {"search.children", "search.dimensions"} <= {key.name for key in found.keys}


def test_tasks_are_told_by_their_figures():
    (found,) = explained("task")
    assert found.variants["regression"] == "Its figures are mse, mae, r2."


def test_a_tasks_key_is_declared_by_the_task():
    (found,) = explained("task.reward")
    assert found.declared == "evoray.tasks.generation.task.Generation"
    assert found.goes_with == ('name = "generation"',) and "(prompt, answer, record)" in found.meaning


@pytest.mark.parametrize(
    ("asked", "meant"),
    [
        ("mutation.sgima", "mutation.sigma"),
        ("batchsize", "compute.batch_size"),
        ("serch", "search"),
        ("generation", "search.generations"),
        ("parent.wieghts", "parent.weights"),
    ],
)
def test_a_misspelt_key_is_answered_with_the_nearest(asked, meant):
    with pytest.raises(ConfigError, match=rf"did you mean {meant}\?"):
        explained(asked)


def test_what_is_like_nothing_is_answered_with_the_sections():
    with pytest.raises(ConfigError, match="sections are parent, data, task"):
        explained("qqqqq")


def test_every_key_of_a_run_is_explained():
    sections = all_sections()
    assert set(RunConfig.model_fields) <= {*sections, *(key.name for key in sections[""].keys)}
    silent = [key.name for one in sections.values() for key in one.keys if not key.meaning or not key.takes]
    assert silent == []


def test_every_example_and_default_is_read_as_toml():
    for one in all_sections().values():
        for key in one.keys:
            for text in filter(None, (key.example, key.default)):
                if text != "…":
                    assert "value" in parse_toml(f"value = {text}".encode(), key.name)


def test_defaults_are_those_of_a_run():
    run = parse_config({"parent": {"name": "resnet18", "weights": "random"}, "data": {"path": "x"}})
    for name in ("ensemble", "soup", "compute", "statistics", "search"):
        for key in all_sections()[name].keys:
            if not key.goes_with and key.default is not None:
                assert key.default == as_toml(getattr(getattr(run, name), key.name.partition(".")[2]))


def test_keys_that_a_resumed_run_may_change_are_marked():
    assert explained("compute.workers")[0].may_change
    assert not explained("compute.dtype")[0].may_change
