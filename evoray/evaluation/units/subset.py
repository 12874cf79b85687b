"""Work on part of a shard: children and their parent on the same few images, paired."""

from __future__ import annotations

import weakref
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from evoray.errors import EvorayError
from evoray.evaluation.evaluator import Evaluator
from evoray.evaluation.units.children import Candidate, named_failure
from evoray.fitness import Fitness, is_mean_of_images, score_images, scores_of
from evoray.mutation import Lineage

PAIRED = 2
"""Sums behind a row's others: of an image's score minus the base's, and of its square."""

_Key = tuple[Lineage, str, int]
_base_scores: weakref.WeakKeyDictionary[Evaluator, dict[_Key, np.ndarray]] = weakref.WeakKeyDictionary()
"""What each evaluator knows of the bases it met, so that a base is evaluated once a piece and worker."""
KEPT = 4096


def _scores(fitness: Fitness, logits: Tensor, labels: Tensor) -> np.ndarray:
    """float64 [n], higher is better: the fitness's own, or minus the NLL where it is no mean of images."""
    return scores_of(fitness, logits, labels) if is_mean_of_images(fitness) else -score_images(logits, labels).nll


@dataclass(frozen=True)
class PieceUnit:
    """Some children of one base on rows ``start`` to ``stop`` (in a seeded order) of one shard."""

    base: Lineage
    children: tuple[Candidate, ...]
    split: str
    shard: int
    start: int
    stop: int

    def run(self, evaluator: Evaluator) -> list[np.ndarray]:
        """One row a child: float64 [len(COLUMNS) + fitness.width + PAIRED]."""
        piece = evaluator.splits.piece(self.split, self.shard, self.start, self.stop)
        base = self._base_scores(evaluator, piece)
        return [self._one(evaluator, child, piece, base) for child in self.children]

    def _one(self, evaluator: Evaluator, child: Candidate, piece: str, base: np.ndarray) -> np.ndarray:
        try:
            labels = evaluator.prepared(piece, self.shard).labels
            logits = evaluator.lineage_logits(self.base, self.base.then(child.tail), piece, self.shard)
            paired = _scores(evaluator.fitness, logits, labels) - base
            sums = [score_images(logits, labels).counts(), evaluator.fitness.sums(logits, labels)]
            return np.concatenate([*sums, [paired.sum(), np.square(paired).sum()]])
        except (EvorayError, MemoryError):
            raise
        except Exception as error:
            raise named_failure(error, child.name, self.split, self.shard) from error

    def _base_scores(self, evaluator: Evaluator, piece: str) -> np.ndarray:
        """float64 [images] of the base's own scores."""
        known = _base_scores.setdefault(evaluator, {})
        key = (self.base, piece, self.shard)
        if key not in known:
            if len(known) >= KEPT:
                known.clear()
            logits = evaluator.lineage_logits(self.base, self.base, piece, self.shard)
            known[key] = _scores(evaluator.fitness, logits, evaluator.prepared(piece, self.shard).labels)
        return known[key]
