from __future__ import annotations

import itertools

import pytest
import torch

from evoray.study.peers.trial import VOTERS, Exhausted, Trial


class Steps:
    """Stands for a network: its loss is its first weight, and every look at it takes a second."""

    def __init__(self):
        self.home, self.select, self.now, self.seconds = torch.tensor([5.0]), None, torch.tensor([5.0]), 0.0

    def write(self, vector):
        self.now = vector

    def loss(self, images):
        self.seconds += 1
        return float(self.now[0])


@pytest.fixture
def steps():
    return Steps()


def trial_of(steps, evaluations, seconds):
    return Trial(steps, evaluations, seconds, lambda: steps.seconds)


def descend(trial):
    for value in itertools.count(4, -1):
        vector = torch.tensor([float(value)])
        trial.offer(vector, trial.loss(vector))


@pytest.mark.parametrize(("evaluations", "seconds", "spent"), [(5, 0, 5), (2, 7, 7), (6, 3, 6)])
def test_a_search_ends_when_both_budgets_are_spent(steps, evaluations, seconds, spent):
    trial = trial_of(steps, evaluations, seconds)
    trial.run(descend)
    assert (trial.points[-1].evaluations, trial.points[-1].seconds) == (spent, spent)


def test_the_answer_is_the_best_that_was_offered_and_the_parent_before_any(steps):
    trial = trial_of(steps, 3, 0)
    trial.offer(torch.tensor([7.0]), 7.0)
    assert trial.at(evaluations=0).select == 5.0 and trial.at().vector is steps.home
    trial.loss()
    trial.offer(torch.tensor([2.0]), 2.0)
    trial.loss()
    trial.offer(torch.tensor([3.0]), 3.0)
    assert [one.select for one in trial.points] == [5.0, 2.0, 2.0]
    assert trial.at(evaluations=2).select == 2.0


def test_what_is_offered_without_a_loss_is_judged_off_the_clock_and_off_the_count(steps):
    trial = trial_of(steps, 3, 0)
    trial.loss(torch.tensor([6.0]))
    trial.offer(torch.tensor([1.0]))
    trial.loss(torch.tensor([6.0]))
    trial.offer(torch.tensor([4.0]), 4.0)
    assert [(one.seconds, one.evaluations, one.select) for one in trial.points] == [(1, 1, 1.0), (2, 2, 1.0)]


def test_an_offer_is_kept_as_it_was(steps):
    trial, vector = trial_of(steps, 9, 0), torch.tensor([1.0])
    trial.offer(vector, 1.0)
    vector.fill_(8.0)
    assert trial.best.vector.tolist() == [1.0]


def test_answers_to_a_budget_are_those_of_the_generation_in_which_it_was_reached(steps):
    trial = trial_of(steps, 6, 0)
    for generation in range(3):
        for _ in range(3):
            trial.loss(torch.tensor([9.0]))
        with pytest.raises(Exhausted) if generation else does_not_raise():
            trial.offer(torch.tensor([3.0 - generation]), 3.0 - generation)
    assert trial.at(evaluations=4).select == 2.0 and trial.at(seconds=3).select == 3.0
    assert trial.at(evaluations=100) is trial.points[-1]


def does_not_raise():
    import contextlib

    return contextlib.nullcontext()


def test_the_best_guesses_within_the_budget_vote(steps):
    trial = trial_of(steps, 12, 0)
    for number in range(20):
        loss = trial.loss(torch.tensor([float((number * 7) % 20)]))
        trial.vote(torch.tensor([loss]), loss)
    assert len(trial.members) == VOTERS
    assert [loss for loss, _ in trial.members] == sorted((number * 7) % 20 for number in range(12))[:VOTERS]


def test_a_curve_has_a_few_points_and_the_last(steps):
    trial = trial_of(steps, 50, 0)
    trial.run(descend)
    curve = trial.curve()
    assert len(curve) == 4 and curve[-1] is trial.points[-1]
    assert [one.evaluations for one in curve] == sorted({one.evaluations for one in curve})
