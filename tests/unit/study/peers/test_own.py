from __future__ import annotations

import pytest
import torch

from evoray.mutation import Lineage
from evoray.study.peers import own
from evoray.study.peers.problem import Sizes


@pytest.mark.parametrize("arm", own.OVERLAYS)
@pytest.mark.parametrize("evaluations", [60, 200, 400, 1000])
def test_a_run_costs_as_many_evaluations_as_it_may(problem, arm, evaluations):
    config = own.run_config(problem, arm, evaluations)
    search = config.search
    beside = {"evoray": 8, "evoray-10": 2, "evoray-one-plus-lambda": 0, "evoray-randopt": 0}.get(arm, 3)
    spent = 1 + search.generations * (search.children * (1 + own.COST) + beside)
    assert 0.95 * evaluations < spent <= evaluations
    asked = 10 if arm == "evoray-10" else 40
    assert search.children >= asked or arm == "evoray-randopt" or search.generations == 1


def test_the_default_is_the_default(problem):
    config = own.run_config(problem, "evoray", 400)
    assert (config.search.strategy, config.search.children, config.search.generations) == ("decomposition", 40, 8)
    assert config.mutation.model_fields_set == {"sigma"} and config.mutation.sigma_is_auto
    assert config.elite == 8


def test_the_strategies_are_all_that_there_are():
    from evoray.strategies.registry import STRATEGIES

    named = {overlay.get("search", {}).get("strategy", "decomposition") for overlay in own.OVERLAYS.values()}
    assert named == set(STRATEGIES.names)


def test_a_run_is_counted_timed_and_rebuilt(problem, network, tmp_path):
    sizes = Sizes(40, 60, 60)
    found = own.run_own(problem, "evoray", sizes, tmp_path / "run")
    assert 50 < found.evaluations < 70  # probes look at 16 images at least, which is much of 40
    assert found.seconds > 0
    seconds, evaluations, losses = map(list, zip(*found.curve, strict=True))
    assert seconds == sorted(seconds) and evaluations == sorted(evaluations)
    assert losses == sorted(losses, reverse=True)
    assert found.select == pytest.approx(losses[-1])
    network.model.load_state_dict(own.rebuilt(network.model, found.lineage), strict=False)
    assert network.loss(network.select) == pytest.approx(found.select, abs=1e-5)


def test_an_empty_recipe_is_the_parent(network):
    same = own.rebuilt(network.model, Lineage())
    assert set(same) == {name for name, _ in network.model.named_parameters()}
    assert all(torch.equal(same[name], one) for name, one in network.model.named_parameters())
