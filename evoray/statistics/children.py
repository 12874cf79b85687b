"""What the children as a whole say: how many are better than their parent, and what ``select`` is worth."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats


@dataclass(frozen=True)
class Share:
    """``count`` of ``n``, with the exact 95% interval of the proportion (Clopper & Pearson 1934)."""

    count: int
    n: int

    def to_dict(self) -> dict[str, Any]:
        if not self.n:
            return {"count": 0, "n": 0, "share": None, "ci95": [None, None]}
        interval = stats.binomtest(self.count, self.n).proportion_ci(0.95, method="exact")
        return {
            "count": self.count,
            "n": self.n,
            "share": self.count / self.n,
            "ci95": [float(interval.low), float(interval.high)],
        }


def correlation(select: np.ndarray, test: np.ndarray) -> dict[str, Any]:
    """How far the order on ``select`` holds on ``test``, over n children: Spearman's and Pearson's coefficients.

    The interval is Spearman's, by Fisher's z with the error of Bonett & Wright (Psychometrika 65, 2000). Pairs with a
    value that is not finite are left out; with fewer than four, or no spread, nothing is defined and all is None.
    """
    ours, theirs = np.asarray(select, dtype=np.float64), np.asarray(test, dtype=np.float64)
    known = np.isfinite(ours) & np.isfinite(theirs)
    ours, theirs = ours[known], theirs[known]
    n = int(ours.size)
    if n < 4 or np.ptp(ours) == 0 or np.ptp(theirs) == 0:
        return {"n": n, "spearman": None, "ci95": [None, None], "pearson": None}
    rho = float(stats.spearmanr(ours, theirs).statistic)
    half = float(stats.norm.ppf(0.975)) * math.sqrt((1 + rho * rho / 2) / (n - 3))
    middle = math.atanh(min(max(rho, -1 + 1e-12), 1 - 1e-12))
    return {
        "n": n,
        "spearman": rho,
        "ci95": [math.tanh(middle - half), math.tanh(middle + half)],
        "pearson": float(stats.pearsonr(ours, theirs).statistic),
    }
