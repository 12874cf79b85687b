"""What scores of classes say of a single record, in float64 and without ties left to chance.

For tasks whose outputs are one logit a class and whose target is one class, whatever the records are. torch is
imported where it is used: what a task is made of is read by processes that have none.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class PerRecord:
    """One model's answers on n records, on the CPU.

    nll: float64 [n], negative log-likelihood of the true class in nats; NaN or inf where the logits are not finite.
    rank: int64 [n], how many classes stand before the true one (0 = top-1 right). Equal logits keep class order,
        as argmax does; records with non-finite logits rank behind every class.
    confidence: float64 [n], probability of the predicted class.
    """

    nll: np.ndarray
    rank: np.ndarray
    confidence: np.ndarray

    def counts(self) -> np.ndarray:
        """float64 [5]: records, top-1 right, top-5 right, non-finite, sum of nll (correctly rounded)."""
        finite = np.isfinite(self.nll)
        return np.array(
            [
                self.nll.size,
                np.count_nonzero(self.rank < 1),
                np.count_nonzero(self.rank < 5),
                self.nll.size - np.count_nonzero(finite),
                math.fsum(self.nll) if finite.all() else math.nan,
            ]
        )

    def scores(self) -> dict[str, np.ndarray]:
        """float64 [n] of every figure that a record has by itself."""
        right = {name: (self.rank < places).astype(np.float64) for name, places in (("top1", 1), ("top5", 5))}
        return {"nll": self.nll, **right}


def score_logits(logits: Tensor, labels: Tensor) -> PerRecord:
    """Scores logits [n, C] (any float type) against labels [n] (int64); the softmax runs in float64."""
    return score_log_probabilities(logits.detach().double().log_softmax(dim=1), labels)


def score_log_probabilities(log_p: Tensor, labels: Tensor) -> PerRecord:
    """The same from log-probabilities, float64 [n, C]: an ensemble's, for instance."""
    import torch

    own = log_p.gather(1, labels[:, None])
    classes = torch.arange(log_p.shape[1], device=log_p.device)
    before = (log_p > own) | ((log_p == own) & (classes < labels[:, None]))
    rank = before.sum(dim=1)
    # comparisons with NaN are all false, which would look like a perfect rank
    broken = ~torch.isfinite(own[:, 0]) & ~torch.isneginf(own[:, 0]) | log_p.isnan().any(dim=1)
    rank = torch.where(broken, torch.full_like(rank, log_p.shape[1]), rank)
    nll = torch.where(broken, torch.full_like(own[:, 0], math.nan), -own[:, 0])
    # one transfer: the ranks are small integers, exact in float64
    stacked = torch.stack([nll, rank.double(), log_p.amax(dim=1).exp()]).cpu().numpy()
    return PerRecord(nll=stacked[0], rank=stacked[1].astype(np.int64), confidence=stacked[2])


def predicted_class(logits: Tensor) -> Tensor:
    """int64 [n]: the likeliest class, the first of equals; C (no class) where a logit is NaN."""
    import torch

    classes = torch.arange(logits.shape[1], device=logits.device)
    best = logits.amax(dim=1, keepdim=True)
    return torch.where(logits == best, classes, logits.shape[1]).amin(dim=1)


def brier(log_p: Tensor, labels: Tensor) -> np.ndarray:
    """float64 [n]: squared distance of the probabilities from the truth, 0 to 2 (Brier 1950), from log [n, C]."""
    p = log_p.exp()
    own = p.gather(1, labels[:, None])[:, 0]
    score: np.ndarray = ((p * p).sum(dim=1) - 2 * own + 1).cpu().numpy()
    return score
