from __future__ import annotations

import numpy as np
import torch

from evoray.ensembles.selection import Member
from evoray.evaluation.units.ensemble import vote
from evoray.mutation import Lineage
from evoray.tasks.generation.task import Answers, key_of
from evoray.tasks.registry import make_task


def answers(texts, reward):
    count = len(texts)
    return Answers(
        torch.full((count, 3), 7, dtype=torch.int32),
        torch.full((count,), reward, dtype=torch.float64),
        torch.tensor([key_of(one) for one in texts]),
        torch.zeros(count, dtype=torch.int64),
    )


def test_members_curve_and_disagreement_of_a_vote():
    given = [answers("aabb", 1.0), answers("abbb", 2.0), answers("abca", 4.0)]
    members = [(Member(f"m{at}", Lineage()), one) for at, one in enumerate(given)]
    found, arrays = vote(make_task("generation"), "majority", members, torch.arange(4))
    assert found.reward.tolist() == [1.0, 2.0, 1.0, 1.0]
    assert [row[2] for row in arrays["members"]] == [4.0, 8.0, 16.0] and [row[2] for row in arrays["curve"]] == [
        4,
        4,
        5,
    ]
    assert arrays["disagree"].tolist() == [[0, 1, 3], [1, 0, 2], [3, 2, 0]]
    assert arrays["votes"].tolist() == [3.0, 2.0, 2.0, 2.0]
    assert np.isnan(arrays["entropy"]).all() and not arrays["both_wrong"].any()
