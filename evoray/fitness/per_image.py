"""What the logits say of every single image, in float64 and without ties left to chance."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True)
class PerImage:
    """One model's answers on n images, on the CPU.

    nll: float64 [n], negative log-likelihood of the true class in nats; NaN or inf where the logits are not finite.
    rank: int64 [n], how many classes stand before the true one (0 = top-1 right). Equal logits keep class order,
        as argmax does; images with non-finite logits rank behind every class.
    confidence: float64 [n], probability of the predicted class.
    """

    nll: np.ndarray
    rank: np.ndarray
    confidence: np.ndarray

    def counts(self) -> np.ndarray:
        """float64 [5]: images, top-1 right, top-5 right, non-finite, sum of nll (correctly rounded)."""
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


@torch.no_grad()
def score_images(logits: Tensor, labels: Tensor) -> PerImage:
    """Scores logits [n, C] (any float type) against labels [n] (int64); the softmax runs in float64."""
    return score_log_probabilities(torch.log_softmax(logits.double(), dim=1), labels)


@torch.no_grad()
def score_log_probabilities(log_p: Tensor, labels: Tensor) -> PerImage:
    """The same from log-probabilities, float64 [n, C]: an ensemble's, for instance."""
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
    return PerImage(nll=stacked[0], rank=stacked[1].astype(np.int64), confidence=stacked[2])


@torch.no_grad()
def predicted_class(logits: Tensor) -> Tensor:
    """int64 [n]: the likeliest class, the first of equals; C (no class) where a logit is NaN."""
    classes = torch.arange(logits.shape[1], device=logits.device)
    best = logits.amax(dim=1, keepdim=True)
    return torch.where(logits == best, classes, logits.shape[1]).amin(dim=1)


@torch.no_grad()
def brier(log_p: Tensor, labels: Tensor) -> np.ndarray:
    """float64 [n]: squared distance of the probabilities from the truth, 0 to 2 (Brier 1950), from log [n, C]."""
    p = log_p.exp()
    own = p.gather(1, labels[:, None])[:, 0]
    score: np.ndarray = ((p * p).sum(dim=1) - 2 * own + 1).cpu().numpy()
    return score
