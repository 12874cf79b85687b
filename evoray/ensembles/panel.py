"""The last look: named networks and the ensemble on one shard, where all members' logits meet on one worker.

Probabilities of the members are averaged in their order, in float64; after each member the ensemble so far is
scored, which gives accuracy against size for the price of a softmax. What leaves the worker is per-image scores
of the few named networks, sums for the rest, and the ensemble's probabilities (the likeliest classes of them).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from evoray import logs
from evoray.ensembles.combine import RunningMean
from evoray.ensembles.logits import logits_file, logits_name
from evoray.errors import EvorayError
from evoray.evaluation import Evaluator, named_failure
from evoray.fitness import PerImage, score_images
from evoray.fitness.per_image import score_log_probabilities
from evoray.mutation import Lineage
from evoray.splits import SearchClosed

MAX_CLASSES = 20
"""Ensemble probabilities of up to this many classes are kept whole, else the likeliest MAX_CLASSES of an image."""


@dataclass(frozen=True)
class Member:
    """One voice of the ensemble; weights need not sum to one."""

    name: str
    lineage: Lineage
    weight: float = 1.0


@dataclass(frozen=True)
class PanelUnit:
    """Named networks (parent, best, soup) and the ensemble's members, on one shard of one split."""

    base: Lineage
    named: tuple[tuple[str, Lineage], ...]
    members: tuple[Member, ...]
    split: str
    shard: int
    logits_to: str | None = None
    """Run directory that takes the members' logits, as a path or URI that means the same on every worker."""
    closed: SearchClosed | None = None
    """The run's word that its search is over; ``test`` cannot be read without it."""

    def run(self, evaluator: Evaluator) -> list[dict[str, np.ndarray]]:
        """One dictionary of arrays, for images n in row order:

        index, label int64 [n]; nll, confidence float64 and rank int64 [named (+ ensemble), n];
        members, curve float64 [members, 5] (fitness.COLUMNS of each member, and of the ensemble up to it);
        classes int32 and probability float32 [n, min(C, MAX_CLASSES)] of the ensemble, likeliest first;
        logits_sha256 uint8 [32] and logits_bytes int64 of the file of logits, where they are kept.
        """
        if self.closed is not None:
            evaluator.splits.open_test(self.closed)
        prepared = evaluator.prepared(self.split, self.shard)
        labels = prepared.labels
        scored = [score_images(self._logits(evaluator, *pair), labels) for pair in self.named]
        result: dict[str, np.ndarray] = {
            "index": evaluator.splits.first_row(self.split, self.shard) + prepared.rows,
            "label": labels.cpu().numpy(),
        }
        if self.members:
            scored.append(self._ensemble(evaluator, labels, result))
        for part in ("nll", "rank", "confidence"):
            result[part] = np.stack([getattr(scores, part) for scores in scored])
        return [result]

    def _ensemble(self, evaluator: Evaluator, labels: Tensor, result: dict[str, np.ndarray]) -> PerImage:
        running = RunningMean()
        members, curve = [], []
        with self._kept(result) as keep:
            for member in self.members:
                logits = self._logits(evaluator, member.name, member.lineage)
                keep(member.name, logits)
                mean = running.add(logits, member.weight)
                so_far = score_log_probabilities(mean.log(), labels)
                members.append(score_images(logits, labels).counts())
                curve.append(so_far.counts())
        result["members"], result["curve"] = np.stack(members), np.stack(curve)
        top = mean.topk(min(MAX_CLASSES, mean.shape[1]), dim=1)
        result["classes"] = top.indices.int().cpu().numpy()
        result["probability"] = top.values.float().cpu().numpy()
        return so_far

    @contextmanager
    def _kept(self, result: dict[str, np.ndarray]) -> Iterator[Callable[[str, Tensor], None]]:
        """Gives what takes a member's logits; at the end the file's digest and size are in ``result``."""
        if self.logits_to is None:
            yield lambda name, logits: None
            return
        name = logits_name(self.split, self.shard)
        with logits_file(self.logits_to, name, result["index"], result["label"]) as file:
            yield lambda member, logits: file.add(member, logits.cpu().numpy())
        result["logits_sha256"] = np.frombuffer(file.sha256, dtype=np.uint8)
        result["logits_bytes"] = np.array(file.size)

    def _logits(self, evaluator: Evaluator, name: str, lineage: Lineage) -> Tensor:
        try:
            with logs.about(child=name):
                return evaluator.lineage_logits(self.base, lineage, self.split, self.shard)
        except (EvorayError, MemoryError):
            raise
        except Exception as error:
            raise named_failure(error, name, self.split, self.shard) from error
