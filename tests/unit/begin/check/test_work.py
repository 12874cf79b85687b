from __future__ import annotations

import dataclasses

import pytest

from evoray.begin.check.work import Stage, stages_of
from evoray.config import parse_config
from evoray.search.inputs import check_inputs

RUN = {
    "parent": {"source": "module", "name": "evoray.models.small:cnn", "weights": "random"},
    "data": {"path": "mnist5k", "select": 0.02, "test": 0.01},
    "compute": {"backend": "local"},
}


@pytest.fixture(scope="module")
def inputs():
    return check_inputs(parse_config(RUN), None)


@pytest.fixture
def stages(inputs):
    """Stages of the same parent and data with other sections, by name."""

    def make(**sections):
        config = dataclasses.replace(inputs, config=parse_config(RUN | sections))
        return {one.name: one for one in stages_of(config)}

    return make


def test_a_plain_run_is_children_final_test_and_a_sample(stages, inputs):
    found = stages(search={"children": 12}, ensemble={"size": 3})
    images = inputs.splits.images("select"), inputs.splits.images("test")
    children, final = found["children"], found["final test"]
    assert (children.candidates, children.records, children.bound) == (12, images[0], "")
    assert (final.candidates, final.records) == (3 + 3, images[1])
    assert found["children by chance on test"].candidates == 8
    assert children.passes == 12 * images[0] and children.evaluations == 12 * children.shards


@pytest.mark.parametrize("strategy", ["mu-lambda", "evolution-strategy", "cma-es", "one-plus-lambda"])
def test_children_of_every_generation_are_counted(stages, strategy):
    found = stages(search={"strategy": strategy, "children": 6, "generations": 3})
    assert found["children"].candidates == 18


def test_what_is_not_known_before_says_so(stages):
    found = stages(search={"children": 40, "racing": True}, mutation={"sigma": "auto"}, soup={"method": "greedy"})
    assert found["children"].bound.startswith("at most; racing")
    assert found['sigma = "auto"'].candidates == 22 and found['sigma = "auto"'].bound == "about"
    assert found["greedy soups"].candidates == 7


def test_members_and_temperatures_are_looked_for_on_select(stages):
    found = stages(ensemble={"method": "greedy", "pool": 10, "size": 4, "temperature": True})
    assert found["members to choose from"].candidates == 10
    assert found["last look at select"].candidates == 1 + 4


def test_a_very_large_run_is_counted_without_its_strategy(stages):
    found = stages(search={"children": 100_000, "generations": 50})
    assert found["children"].candidates == 5_000_000


def test_a_stage_multiplies():
    assert (Stage("a", 3, 10, 2).passes, Stage("a", 3, 10, 2).evaluations) == (30, 6)
