"""Units of children: each evaluated whole on one shard."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from evoray.data.splits import SearchClosed
from evoray.errors import EvaluationError, EvorayError
from evoray.evaluation.evaluator import Evaluator
from evoray.evaluation.host import Drawn
from evoray.mutation import Entry, Lineage
from evoray.runtime import logs


@dataclass(frozen=True)
class Candidate:
    """A child as it travels: its name, and its entries on top of the unit's base."""

    name: str
    tail: tuple[Entry, ...]


@dataclass(frozen=True)
class ChildrenUnit:
    """Some children of one base on one shard; ``run`` gives one row a child, in order."""

    base: Lineage
    children: tuple[Candidate, ...]
    split: str
    shard: int

    def run(self, evaluator: Evaluator) -> list[np.ndarray]:
        drawn = evaluator.drawn(child.tail for child in self.children)
        return [self._one(evaluator, child, ready) for child, ready in zip(self.children, drawn, strict=True)]

    def _one(self, evaluator: Evaluator, child: Candidate, ready: Drawn) -> np.ndarray:
        try:
            with logs.about(child=child.name):
                return evaluator.evaluate(self.base, ready, self.split, self.shard)
        except (EvorayError, MemoryError):
            raise
        except Exception as error:
            raise named_failure(error, child.name, self.split, self.shard) from error


@dataclass(frozen=True)
class FinalUnit(ChildrenUnit):
    """Children on ``test``, at the end of a run."""

    closed: SearchClosed | None = None

    def run(self, evaluator: Evaluator) -> list[np.ndarray]:
        with evaluator.splits.opened(self.closed):
            return super().run(evaluator)


def named_failure(error: Exception, child: str, split: str, shard: int) -> EvaluationError:
    """What a model or a user's function raised, with the child and the shard it was given."""
    return EvaluationError(
        f"child {child} on shard {shard} of {split}: {type(error).__name__}: {error}. "
        "The model or the fitness function raised this; run it on that shard alone to see why."
    )


def is_valid(total: np.ndarray) -> bool:
    """Whether every image of a merged row had finite logits."""
    return bool(total[3] == 0) and math.isfinite(float(total[4]))
