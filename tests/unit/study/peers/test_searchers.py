from __future__ import annotations

import pytest

from evoray.study.peers import searchers
from evoray.study.peers.trial import VOTERS, Trial


def searched(network, search, setting, evaluations=40, seed=0):
    network.write(network.home)
    trial = Trial(network, evaluations, 0)
    trial.run(lambda one: search(one, setting, seed))
    return trial


@pytest.mark.parametrize(
    ("search", "setting"),
    [(searchers.own_loop, 0.01), (searchers.randopt, (0.01, 0.02)), (searchers.es_at_scale, 0.02)],
)
def test_a_search_betters_a_network_that_nobody_trained_and_repeats(network, search, setting):
    trial = searched(network, search, setting, evaluations=60)
    parent, best = trial.points[0], trial.points[-1]
    assert best.select < 0.999 * float(Trial(network, 0, 0).best.select) or best.select < parent.select
    network.write(best.vector)
    assert network.loss(network.select) == pytest.approx(best.select, abs=1e-6), "the answer is what was judged"
    again = searched(network, search, setting, evaluations=60)
    assert [one.select for one in again.points] == [one.select for one in trial.points]
    other = searched(network, search, setting, evaluations=60, seed=1)
    assert other.points[-1].select != best.select


def test_the_loop_goes_on_from_the_best_alone(network):
    trial = searched(network, searchers.own_loop, 0.01)
    assert trial.points[0].evaluations == 2, "the parent, then a child"
    assert [one.evaluations for one in trial.points] == list(range(2, 41))
    losses = [one.select for one in trial.points]
    assert losses == sorted(losses, reverse=True)


def test_es_at_scale_answers_after_each_step_of_its_population(network):
    trial = searched(network, searchers.es_at_scale, 0.02)
    assert [one.evaluations for one in trial.points] == [searchers.POPULATION, 2 * searchers.POPULATION]


def test_randopts_best_guesses_are_its_ensemble(network):
    trial = searched(network, searchers.randopt, (0.01, 0.02))
    assert len(trial.members) == VOTERS
    loss, vector = trial.members[0]
    assert loss == min(loss for loss, _ in trial.members)
    network.write(vector)
    assert network.loss(network.select) == pytest.approx(loss, abs=1e-6)
