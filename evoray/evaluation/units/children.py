"""The unit of children: some children of one base on one shard, on all of its rows or on a few, alone or paired."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from evoray.data.splits import SearchClosed
from evoray.errors import EvaluationError, EvorayError
from evoray.evaluation.evaluator import Evaluator
from evoray.evaluation.host import Drawn
from evoray.mutation import Entry, Lineage
from evoray.runtime import logs


class Candidate(NamedTuple):
    """A child as it travels: its name, and its entries on top of the unit's base."""

    name: str
    tail: tuple[Entry, ...]


class Rows(NamedTuple):
    """Rows ``start`` to ``stop`` of a shard's part of a split, in a seeded order.

    name: of the subset that they belong to. It is the same for all shards of the subset, and no other subset has it.
    """

    name: str
    start: int
    stop: int


@dataclass(frozen=True)
class ChildrenUnit:
    """``run`` gives one row a child, in order: float64, the sums of ``Evaluator.evaluate``.

    rows: a few of the shard's rows; all of the split's unless given.
    paired: whether each row ends in how the child's scores differ from the base's on the same images.
    closed: the run's word that its search is over, without which ``test`` cannot be read.
    """

    base: Lineage
    children: tuple[Candidate, ...]
    split: str
    shard: int
    rows: Rows | None = None
    paired: bool = False
    closed: SearchClosed | None = None

    def run(self, evaluator: Evaluator) -> list[np.ndarray]:
        with evaluator.splits.opened(self.closed):
            split = self.split
            if self.rows is not None:
                split = evaluator.splits.subset(self.split, self.shard, *self.rows)
            if self.paired:
                with blamed("of these children's base", self.split, self.shard):
                    evaluator.base_scores(self.base, split, self.shard)
            drawn = evaluator.drawn(child.tail for child in self.children)
            return [
                self._one(evaluator, child, ready, split) for child, ready in zip(self.children, drawn, strict=True)
            ]

    def _one(self, evaluator: Evaluator, child: Candidate, ready: Drawn, split: str) -> np.ndarray:
        with blamed(child.name, self.split, self.shard):
            return evaluator.evaluate(self.base, ready, split, self.shard, paired=self.paired)


VIEWED = "view size is not compatible"
OF_LAYOUT = 'Images arrive in channels-last, whose tensors view() cannot flatten: set compute.layout = "contiguous".'
OF_ANYTHING = "The model or the fitness function raised this; run it on that shard alone to see why."


@contextmanager
def blamed(child: str, split: str, shard: int) -> Iterator[None]:
    """What a model or a user's function raises inside is an EvaluationError that names child and shard.

    Log lines written inside carry the child.
    """
    try:
        with logs.about(child=child):
            yield
    except (EvorayError, MemoryError):
        raise
    except Exception as error:
        raise EvaluationError(
            f"child {child} on shard {shard} of {split}: {type(error).__name__}: {str(error).rstrip('.')}. "
            f"{OF_LAYOUT if VIEWED in str(error) else OF_ANYTHING}"
        ) from error
