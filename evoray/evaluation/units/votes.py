"""An ensemble whose members give answers and no scores of classes: a vote, on one shard."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from torch import Tensor

from evoray.ensembles.diversity import diversity_sums
from evoray.ensembles.selection import Member
from evoray.tasks.base import Outputs, Task


def vote(
    task: Task, method: str, members: Iterable[tuple[Member, Outputs]], targets: Tensor
) -> tuple[Outputs, dict[str, np.ndarray]]:
    """The ensemble's outputs, and the arrays of ``PanelUnit.run``: members and curve, how often two disagree, and votes
    float64 [n] for the answer that won. Who is wrong is not known of answers, nor how sure they are: NaN and zeros."""
    make: Callable[[str], Any] | None = task.combine
    assert make is not None, "a task that combines nothing has no members"
    combiner = make(method)
    own, curve, answers = [], [], []
    for member, outputs in members:
        so_far = combiner.add(outputs, member.weight)
        own.append(task.sums(outputs, targets))
        curve.append(task.sums(so_far, targets))
        answers.append(outputs.key.cpu().numpy())
    never = np.zeros((len(own), len(targets)), dtype=bool)
    found = diversity_sums(np.stack(answers), never, np.full(len(own) + 1, math.nan))
    return so_far, {
        "members": np.stack(own),
        "curve": np.stack(curve),
        "disagree": found.answers_differ,
        "both_wrong": found.both_wrong,
        "entropy": found.entropy,
        "votes": combiner.votes.cpu().numpy(),
    }
