from __future__ import annotations

import math
from typing import NamedTuple

import pytest
import torch

from evoray.errors import RunError
from evoray.tasks.generation.task import Answers, key_of
from evoray.tasks.generation.votes import Votes


class Own(NamedTuple):
    codes: torch.Tensor
    reward: torch.Tensor
    key: torch.Tensor


def member(texts, rewards=None):
    """One token an answer, the member's own."""
    member.number += 1
    rewards = [float(member.number)] * len(texts) if rewards is None else rewards
    return Answers(
        torch.full((len(texts), 1), member.number, dtype=torch.int32),
        torch.tensor(rewards, dtype=torch.float64),
        torch.tensor([key_of(one) for one in texts]),
        torch.zeros(len(texts), dtype=torch.int64),
    )


@pytest.fixture(autouse=True)
def _count():
    member.number = 0


def tally(*texts, weights=None):
    votes = Votes()
    for at, one in enumerate(texts):
        found = votes.add(member(one), 1.0 if weights is None else weights[at])
    return found.tokens[:, 0].tolist(), votes.votes.tolist()


def test_most_win_and_of_equals_the_fittest():
    assert tally("aab", "bab", "bcc") == ([2, 1, 1], [2.0, 2.0, 2.0])
    assert tally("abc", "bca", "cab")[0] == [4, 4, 4], "three answers: the member named first"
    assert tally("ax", "by", "by", "ax")[0] == [7, 7], "two each: the pair whose first member is fitter"


def test_an_answer_is_that_of_the_first_member_who_gave_it():
    votes = Votes()
    for one in ("a", "b", "b"):
        found = votes.add(member([one]))
    assert found.reward.tolist() == [2.0] and found.key.tolist() == [key_of("b")]


def test_weights_are_votes():
    assert tally("a", "b", "b", weights=[3.0, 1.0, 1.0]) == ([1], [3.0])
    for weight in (0.0, -1.0, math.nan):
        with pytest.raises(RunError, match="weights are positive"):
            Votes().add(member("a"), weight)


def test_who_has_no_finite_scores_votes_for_nothing():
    votes = Votes()
    votes.add(member("aa", [math.nan, math.nan]))
    votes.add(member("aa", [math.nan, math.nan]))
    assert votes.votes.tolist() == [0.0, 0.0]
    found = votes.add(member("bb", [0.5, math.nan]))
    assert found.reward[0] == 0.5 and found.reward[1].isnan() and votes.votes.tolist() == [1.0, 0.0]


def test_outputs_of_a_task_of_ones_own_are_voted_on():
    def own(codes):
        return Own(torch.tensor(codes), torch.ones(2), torch.tensor(codes))

    votes = Votes()
    for codes in ([1, 2], [3, 4], [3, 2]):
        found = votes.add(own(codes))
    assert isinstance(found, Own) and found.codes.tolist() == [3, 2] and votes.votes.tolist() == [2.0, 2.0]


def test_after_each_member_it_is_the_ensemble_so_far():
    votes = Votes()
    assert votes.add(member("a")).tokens.tolist() == [[1]]
    assert votes.add(member("b")).tokens.tolist() == [[1]]
    assert votes.add(member("b")).tokens.tolist() == [[2]]
