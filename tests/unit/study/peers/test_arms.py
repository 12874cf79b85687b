from __future__ import annotations

import json

import numpy as np
import pytest

from evoray.errors import ConfigError
from evoray.study.peers import arms, searchers
from evoray.study.peers.arms import Task, difference, read_outcome, run_task
from evoray.study.peers.problem import Network, Sizes

SIZES = Sizes(40, 60, 60)


@pytest.fixture
def done(problem, tmp_path):
    """Runs an arm; its JSON, and where it stands."""

    def make(arm, setting=None, seconds=0.0, sizes=SIZES, peers=arms.PEERS):
        path = tmp_path / f"{arm}.json"
        run_task(Task(problem, arm, setting, sizes, seconds, path), peers)
        return json.loads(path.read_text()), path

    return make


def test_a_task_comes_back_from_its_line(problem, tmp_path):
    for setting in (None, 0.01, [0.1, 0.2]):
        task = Task(problem, "own-loop", setting, SIZES, 2.5, tmp_path / "x.json")
        line = task.to_json()
        assert "\n" not in line and Task.from_json(line) == task


def test_the_parents_score_is_its_own(done, network):
    found, path = done("parent")
    told = found["answers"]["evaluations"]
    assert told["nll"] == pytest.approx(network.loss(network.test), abs=1e-6)
    assert told["select"] == network.loss(network.select)
    with np.load(path.with_suffix(".npz")) as losses:
        assert losses["evaluations"].shape == (60,) and losses["evaluations"].mean() == pytest.approx(told["nll"])
    assert difference(path, path) == (0.0, 0.0, 0.0)
    assert set(found) >= {"commit", "date", "device", "torch", "sizes", "case", "arm"}


def test_a_peer_has_an_answer_to_each_budget_and_goes_on_for_the_longer(done):
    found, path = done("own-loop", 0.01, seconds=0.5)
    at, after = found["answers"]["evaluations"], found["answers"]["seconds"]
    assert at["evaluations"] == 60 and after["seconds"] >= 0.5
    assert after["evaluations"] != 60 and found["curve"][-1][0] >= 0.5
    with np.load(path.with_suffix(".npz")) as losses:
        assert losses["seconds"].mean() == pytest.approx(after["nll"])


def test_randopts_ensemble_is_scored_beside_its_best(done):
    found, _ = done("randopt", (0.01, 0.02))
    assert set(found["ensemble"]) == {"nll", "top1"}
    assert found["ensemble"]["nll"] != found["answers"]["evaluations"]["nll"]


@pytest.mark.parametrize(("arm", "setting"), [("gradient-descent", 1e-3), ("temperature", None)])
def test_what_is_no_peer_tells_its_cost(done, arm, setting):
    found, _ = done(arm, setting)
    told = found["answers"]["evaluations"]
    assert told["evaluations"] >= 1 and told["seconds"] > 0 and "ensemble" not in found


def test_evorays_arm_is_scored_as_its_summary_scores_it(done):
    found, path = done("evoray")
    summary = json.loads((path.with_suffix("") / "summary.json").read_text())
    name = {"best": "best_child", "soup": "soup"}[found["search"]["answer"]]
    assert found["answers"]["evaluations"]["nll"] == pytest.approx(summary[name]["nll"], abs=1e-5)
    assert found["ensemble"]["nll"] == summary["ensemble"]["nll"]
    assert found["search"]["sigma"] == summary["mutation"]["sigma"]


def test_evotorchs_arms_are_looked_up_by_their_own_names(done):
    found, _ = done("evotorch-snes", 0.01, peers={"snes": searchers.own_loop})
    assert found["setting"] == 0.01


def test_an_outcome_of_other_sizes_or_none_is_refused(done, tmp_path):
    _, path = done("parent")
    assert read_outcome(tmp_path / "none.json", SIZES) is None
    with pytest.raises(ConfigError, match="other sizes"):
        read_outcome(path, Sizes(40, 60, 61))
    path.write_text("{")
    with pytest.raises(ConfigError, match="Remove it"):
        read_outcome(path, SIZES)


def test_the_mean_of_probabilities_of_one_network_twice_is_that_network(problem):
    network = Network(problem)
    once, twice = arms._score(network, network.home), arms._score(network, network.home, network.home)
    np.testing.assert_allclose(once.nll, twice.nll, atol=1e-12)
