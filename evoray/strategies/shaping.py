"""Rank-shaped fitness: an outlier counts no more than the rank it has (Salimans et al. 2017, section 2.1)."""

from collections.abc import Sequence

import numpy as np
from scipy import stats


def centred_ranks(fitness: Sequence[float]) -> np.ndarray:
    """float64 [n] in [-1/2, 1/2], the best highest, summing to zero; equals share their mean rank.

    Failures (-inf) are equals of each other, below all others.
    """
    values = np.asarray(fitness, dtype=np.float64)
    if values.size < 2:
        return np.zeros(values.size)
    ranks = np.asarray(stats.rankdata(values, method="average"))
    return (ranks - 1) / (values.size - 1) - 0.5
