"""Temperature scaling (Guo et al. 2017) from sums that merge: one number, fitted on ``select``.

Scaled log-probabilities are l / T, normalised again. With b = 1 / T the NLL is convex in b, so its value and slope at
a few fixed b are enough: between two of them it is a cubic (Hermite) to well under a thousandth of a nat. Every
shard gives [2, GRID] sums, whatever its images and classes. An ensemble is combined first and scaled afterwards
(Rahaman & Thiery 2021): scaling each member leaves the mean under-confident.
"""

import math

import numpy as np
import torch
from scipy.interpolate import CubicHermiteSpline
from torch import Tensor

INVERSE = 2.0 ** np.linspace(-3, 3, 33)
"""The fixed b, from a temperature of 8 down to one of 1/8."""

_LEAST = -745.0
"""exp of less is zero in float64; a class of probability zero stays that improbable."""


@torch.no_grad()
def temperature_sums(log_p: Tensor, labels: Tensor) -> np.ndarray:
    """float64 [2, 33]: sums over images of the NLL and of its slope in b, at every b of INVERSE.

    Args:
        log_p: float64 [n, C], log-probabilities.
        labels: int64 [n].
    """
    clamped = log_p.clamp(min=_LEAST)
    own = clamped.gather(1, labels[:, None])[:, 0]
    values, slopes = [], []
    for inverse in INVERSE.tolist():
        scaled = clamped * inverse
        norm = torch.logsumexp(scaled, dim=1)
        expected = (torch.exp(scaled - norm[:, None]) * clamped).sum(dim=1)
        values.append(math.fsum((norm - inverse * own).tolist()))
        slopes.append(math.fsum((expected - own).tolist()))
    return np.array([values, slopes])


def fit_temperature(total: np.ndarray) -> float:
    """The temperature of lowest NLL, from 1/8 to 8, from merged sums [2, 33]; 1 where they are not finite."""
    if not np.isfinite(total).all():
        return 1.0
    values, slopes = total
    if slopes[0] >= 0:
        return float(1 / INVERSE[0])
    if slopes[-1] <= 0:
        return float(1 / INVERSE[-1])
    right = int(np.argmax(slopes >= 0))
    spline = CubicHermiteSpline(INVERSE, values, slopes)
    flat = [b for b in spline.derivative().roots(extrapolate=False) if INVERSE[right - 1] <= b <= INVERSE[right]]
    return float(1 / min(flat, key=spline)) if flat else float(1 / INVERSE[right])


def at_temperature(log_p: Tensor, temperature: float) -> Tensor:
    """Log-probabilities float64 [n, C] at a temperature; at 1 the same, bit for bit."""
    return log_p if temperature == 1 else torch.log_softmax(log_p / temperature, dim=1)
