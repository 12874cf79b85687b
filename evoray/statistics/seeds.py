"""What several seeds say together: their mean, with Student's t interval over seeds."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from evoray.statistics.paired import LEVEL


@dataclass(frozen=True)
class OverSeeds:
    """The mean of n values, its 95% interval, and their standard deviation; the last three are NaN for one seed."""

    n: int
    mean: float
    low: float
    high: float
    sd: float = math.nan


def over_seeds(values: Sequence[float]) -> OverSeeds:
    """One value a seed; NaN throughout when there is none or one of them is not finite."""
    found = np.asarray(values, dtype=np.float64)
    if found.size == 0 or not np.isfinite(found).all():
        return OverSeeds(found.size, math.nan, math.nan, math.nan)
    mean = math.fsum(found) / found.size
    if found.size == 1:
        return OverSeeds(1, mean, math.nan, math.nan)
    sd = float(np.std(found, ddof=1))
    error = sd / math.sqrt(found.size)
    half = float(stats.t.ppf((1 + LEVEL) / 2, found.size - 1)) * error
    return OverSeeds(int(found.size), mean, mean - half, mean + half, sd)
