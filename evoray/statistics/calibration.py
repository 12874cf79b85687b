"""Expected calibration error from sums that merge (Naeini et al. 2015; Guo et al. 2017, with their 15 bins)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from evoray.errors import RunError

BINS = 15
_ROUNDING = 1e-6
"""A mean of probabilities may pass one by rounding; further off it is no probability."""


@dataclass(frozen=True)
class Reliability:
    """Sums over the images of each confidence bin, [BINS]: bin i holds i/BINS <= confidence < (i+1)/BINS.

    The last bin also holds a confidence of one. counts, hits: int64; confidence: float64, the sum of confidences.
    """

    counts: np.ndarray
    confidence: np.ndarray
    hits: np.ndarray

    def __add__(self, other: Reliability) -> Reliability:
        """Add in shard order: float sums depend on their order."""
        return Reliability(self.counts + other.counts, self.confidence + other.confidence, self.hits + other.hits)

    def to_dict(self) -> dict[str, list[Any]]:
        """JSON's form; a sum that is not finite is None."""
        sums = [value if math.isfinite(value) else None for value in self.confidence.tolist()]
        return {"counts": self.counts.tolist(), "confidence": sums, "hits": self.hits.tolist()}


def reliability_sums(confidence: np.ndarray, hits: np.ndarray) -> Reliability:
    """Bins n images.

    Args:
        confidence: float64 [n], probability of the predicted class; NaN where the network gave none.
        hits: bool [n], whether that class is the true one.

    Raises:
        RunError: shapes differ, or a confidence is outside [0, 1].
    """
    confidence, hits = np.asarray(confidence, dtype=np.float64), np.asarray(hits, dtype=bool)
    if confidence.ndim != 1 or confidence.shape != hits.shape:
        raise RunError(f"calibration: confidence {confidence.shape} and hits {hits.shape} differ; give both an image.")
    outside = confidence[(confidence < -_ROUNDING) | (confidence > 1 + _ROUNDING)]
    if outside.size:
        raise RunError(f"calibration: a confidence of {outside[0]}; give probabilities, not logits.")
    # NaN is kept in bin 0, where it makes the sum and so the ECE NaN instead of a number that looks right
    bins = np.clip(np.nan_to_num(confidence * BINS), 0, BINS - 1).astype(np.int64)
    return Reliability(
        counts=np.bincount(bins, minlength=BINS).astype(np.int64),
        confidence=np.bincount(bins, weights=confidence, minlength=BINS),
        hits=np.bincount(bins[hits], minlength=BINS).astype(np.int64),
    )


def ece(sums: Reliability) -> float:
    """Mean over images of |accuracy - confidence| of their bin, in [0, 1]; NaN without images or with a NaN."""
    total = int(sums.counts.sum())
    return float(np.abs(sums.hits - sums.confidence).sum()) / total if total else math.nan
