"""The unit of children: some children of one base on one shard, on all of its rows or on a few, alone or paired."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from evoray.data.splits import SearchClosed
from evoray.errors import EvaluationError, EvorayError
from evoray.evaluation.evaluator import Evaluator
from evoray.mutation import Entry, Lineage
from evoray.runtime import logs
from evoray.runtime.origin import place_of
from evoray.runtime.reading import reason_of
from evoray.tasks.base import Outputs


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
            tails = [child.tail for child in self.children]
            found = evaluator.outputs_of(self.base, tails, split, self.shard, self._blamed)
            return [self._row(evaluator, number, outputs, split) for number, outputs in enumerate(found)]

    def _row(self, evaluator: Evaluator, number: int, outputs: Outputs, split: str) -> np.ndarray:
        with self._blamed(number):
            return evaluator.row(self.base, outputs, split, self.shard, paired=self.paired)

    def _blamed(self, number: int) -> AbstractContextManager[None]:
        return blamed(self.children[number].name, self.split, self.shard)


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
            f"child {child} on shard {shard} of {split}: {reason_of(error).rstrip('.')}{place_of(error)}. "
            f"{OF_LAYOUT if VIEWED in str(error) else OF_ANYTHING}"
        ) from error
