"""How much the members differ, from sums that merge: counts of pairs, and entropies.

- Disagreement of two members: share of images on which they answer differently.
- Error correlation: the correlation of their errors as 0/1 variables (phi), from how often both are wrong.
- KL: mean over members of KL(member || ensemble mean), nats per image. It needs no second pass, because
  sum_m w_m KL(p_m || p) = H(p) - sum_m w_m H(p_m) for p = sum_m w_m p_m (the generalised Jensen-Shannon divergence).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor


@dataclass(frozen=True)
class Diversity:
    """Sums over n images, for M members.

    answers_differ, both_wrong: int64 [M, M]; wrong is both_wrong's diagonal.
    entropy: float64 [M + 1], each member's and, last, of the mean; nats.
    """

    n: int
    answers_differ: np.ndarray
    both_wrong: np.ndarray
    entropy: np.ndarray

    def __add__(self, other: Diversity) -> Diversity:
        """Add in shard order: float sums depend on their order."""
        return Diversity(
            self.n + other.n,
            self.answers_differ + other.answers_differ,
            self.both_wrong + other.both_wrong,
            self.entropy + other.entropy,
        )

    @property
    def disagreement(self) -> np.ndarray:
        """float64 [M, M], from 0 to 1."""
        return self.answers_differ / self.n

    @property
    def error_correlation(self) -> np.ndarray:
        """float64 [M, M], from -1 to 1; NaN for a member that is always right or always wrong."""
        wrong = np.diag(self.both_wrong) / self.n
        spread = np.sqrt(wrong * (1 - wrong))
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray((self.both_wrong / self.n - np.outer(wrong, wrong)) / np.outer(spread, spread))

    def kl(self, weights: np.ndarray) -> float:
        """Weighted mean of KL(member || mean), nats per image."""
        share = np.asarray(weights, dtype=np.float64) / np.sum(weights)
        return float(self.entropy[-1] - np.sum(share * self.entropy[:-1])) / self.n

    def to_dict(self, weights: np.ndarray) -> dict[str, Any]:
        """Means over pairs and the matrices; what is not defined is None."""
        pairs = np.triu_indices(len(self.both_wrong), k=1)
        correlation = self.error_correlation
        return {
            "disagreement": _finite(self.disagreement[pairs].mean()) if pairs[0].size else None,
            "error_correlation": _finite(correlation[pairs].mean()) if pairs[0].size else None,
            "kl": _finite(self.kl(weights)),
            "pairs": {"disagreement": _rows(self.disagreement), "error_correlation": _rows(correlation)},
        }


def diversity_sums(answers: np.ndarray, wrong: np.ndarray, entropy: np.ndarray) -> Diversity:
    """From answers int64 [M, n], wrong bool [M, n] and entropy float64 [M + 1]."""
    differ = np.array([[np.count_nonzero(one != other) for other in answers] for one in answers], dtype=np.int64)
    errors = wrong.astype(np.int64)
    return Diversity(answers.shape[1], differ, errors @ errors.T, entropy)


def entropy_sum(log_p: Tensor) -> float:
    """Sum over images of the entropy, nats, of log-probabilities float64 [n, C]; a class of probability zero adds 0."""
    return math.fsum((-(log_p.exp() * log_p.clamp(min=-745.0))).sum(dim=1).tolist())


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _rows(matrix: np.ndarray) -> list[list[float | None]]:
    return [[_finite(value) for value in row] for row in matrix.tolist()]
