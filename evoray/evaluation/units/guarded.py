"""What guards ask of workers: a unit on a guard's data, and the ensemble's beginnings on one shard."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor

from evoray.ensembles.selection import Member
from evoray.errors import EvaluationError
from evoray.evaluation.evaluator import Evaluator
from evoray.evaluation.units.children import blamed
from evoray.mutation import Lineage


@dataclass(frozen=True)
class OnGuard:
    """A unit of a run, on a guard's data and by its task."""

    guard: str
    unit: Any

    @property
    def shard(self) -> int:
        return int(self.unit.shard)

    def run(self, evaluator: Evaluator) -> list[Any]:
        try:
            found: list[Any] = self.unit.run(evaluator.on_guard(self.guard))
        except EvaluationError as error:
            raise EvaluationError(f"guard {self.guard}: {error}") from error
        return found


@dataclass(frozen=True)
class BeginningsUnit:
    """The ensembles of the first member, of the first two, … on one shard: ``sums`` float64 [members, width].

    method: as in ``PanelUnit``.
    """

    base: Lineage
    members: tuple[Member, ...]
    method: str
    split: str
    shard: int

    def run(self, evaluator: Evaluator) -> list[Mapping[str, np.ndarray]]:
        task, fitness = evaluator.task, evaluator.fitness
        assert task.combine is not None, "checked before it is asked for"
        combiner, targets = task.combine(self.method), evaluator.targets(self.split, self.shard)
        lineages, rows = [member.lineage for member in self.members], []
        found = evaluator.lineages_outputs(self.base, lineages, self.split, self.shard)
        for member, outputs in zip(self.members, found, strict=True):
            so_far = combiner.add(outputs, member.weight)
            if isinstance(so_far, Tensor):  # probabilities; else answers as they are
                so_far = so_far.log_().float()
            with blamed(member.name, self.split, self.shard):
                rows.append(fitness.layout.row(task.sums(so_far, targets), fitness.sums(so_far, targets)))
        return [{"sums": np.stack(rows)}]
