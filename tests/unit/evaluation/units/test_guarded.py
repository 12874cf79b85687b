from __future__ import annotations

import pickle
from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from evoray.ensembles import Member
from evoray.errors import EvaluationError, RunError
from evoray.evaluation.units.guarded import BeginningsUnit, OnGuard
from evoray.fitness.registry import FigureFitness
from evoray.mutation import Lineage
from evoray.tasks.image_classification import ImageClassification


@dataclass(frozen=True)
class Unit:
    shard: int = 3
    error: type[Exception] | None = None

    def run(self, evaluator):
        if self.error is not None:
            raise self.error("child c on shard 3 of select: no.")
        return [evaluator]


WORKER = SimpleNamespace(on_guard=lambda name: f"the evaluator of {name}")


def test_a_unit_runs_on_the_guards_data():
    unit = pickle.loads(pickle.dumps(OnGuard("high", Unit())))
    assert unit.shard == 3 and unit.run(WORKER) == ["the evaluator of high"]


def test_what_goes_wrong_there_names_the_guard():
    with pytest.raises(EvaluationError, match=r"^guard high: child c on shard 3 of select: no\.$"):
        OnGuard("high", Unit(error=EvaluationError)).run(WORKER)
    with pytest.raises(RunError, match=r"^child c"):
        OnGuard("high", Unit(error=RunError)).run(WORKER)


@pytest.mark.parametrize("method", ["top-k", "majority"])
def test_every_beginning_of_an_ensemble_is_what_it_is_alone(method):
    task = ImageClassification()
    outputs = torch.randn(4, 30, 10, generator=torch.Generator().manual_seed(0))
    targets = torch.arange(30) % 10
    evaluator = SimpleNamespace(
        task=task,
        fitness=FigureFitness(task, "nll"),
        targets=lambda split, shard: targets,
        lineages_outputs=lambda base, lineages, split, shard: iter(outputs[: len(lineages)]),
    )
    members = tuple(Member(f"m{number}", Lineage(), 1.0 + number) for number in range(4))

    def sums(count):
        (found,) = BeginningsUnit(Lineage(), members[:count], method, "select", 0).run(evaluator)
        return found["sums"]

    whole = sums(4)
    assert whole.shape == (4, len(task.columns))
    for count in (1, 2, 3):
        np.testing.assert_array_equal(sums(count), whole[:count])
    own = task.sums(outputs[0], targets)
    np.testing.assert_allclose(whole[0], own, rtol=1e-5) if method == "top-k" else None
