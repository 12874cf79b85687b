"""A candidate against its parent, image by image.

Both networks see the same images, so the noise of easy and hard images cancels in the differences:

- ``nll``: mean difference with Student's t interval and the paired t-test.
- ``top1``, ``top5``: difference of two paired proportions. p is McNemar's exact test (McNemar 1947): of the images
  on which just one of the two is right, how many would a fair coin give to the candidate? The interval is Tango's
  score interval (Statistics in Medicine 17, 1998), which keeps its coverage when few images differ, and has a
  width even when none does.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self

import numpy as np
from scipy import optimize, stats

from evoray.errors import RunError, UsageError

Effect = Literal["better", "worse", "not shown", "undefined"]

METRICS: Mapping[str, int] = {"nll": -1, "top1": 1, "top5": 1}
"""Metrics that can be compared, with the sign of a difference that is an improvement."""

LEVEL = 0.95
_Z = float(stats.norm.ppf((1 + LEVEL) / 2))
_NOT_ZERO = 1e-12
"""The score interval's equation has a second, meaningless root at the estimate itself; this steps past it."""


@dataclass(frozen=True)
class Comparison:
    """Candidate minus parent; nll in nats an image, top1 and top5 in fractions.

    ci95 and p_value are NaN where they are not defined: one image, or an image whose value is NaN or infinite.
    """

    name: str
    metric: str
    difference: float
    ci95: tuple[float, float]
    p_value: float

    @property
    def effect(self) -> Effect:
        """``better`` or ``worse`` only where the interval is clear of zero and the test agrees at 5%."""
        low, high = self.ci95
        if not all(map(math.isfinite, (self.difference, low, high, self.p_value))):
            return "undefined"
        if low <= 0 <= high or self.p_value > 1 - LEVEL:
            return "not shown"
        return "better" if self.difference * METRICS[self.metric] > 0 else "worse"

    def to_dict(self) -> dict[str, Any]:
        """JSON's form: what is not defined is None."""
        return {
            "name": self.name,
            "metric": self.metric,
            "difference": _or_none(self.difference),
            "ci95": [_or_none(bound) for bound in self.ci95],
            "p_value": _or_none(self.p_value),
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """The inverse of ``to_dict``; UsageError when a key is missing, no number, or an unknown metric."""
        try:
            if values["metric"] not in METRICS:
                raise ValueError(f"metric {values['metric']!r} is none of {', '.join(METRICS)}")
            low, high = values["ci95"]
            return cls(
                name=str(values["name"]),
                metric=values["metric"],
                difference=_or_nan(values["difference"]),
                ci95=(_or_nan(low), _or_nan(high)),
                p_value=_or_nan(values["p_value"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise UsageError(
                f"comparison {values!r}: damaged ({type(error).__name__}: {error}). Take the summary.json of the run."
            ) from None


def compare(name: str, metric: str, candidate: np.ndarray, parent: np.ndarray) -> Comparison:
    """Compares per-image values of a candidate with its parent's on the same images.

    Args:
        name: what the candidate is called.
        metric: ``nll``, or ``top1`` / ``top5`` with 1 for a right answer and 0 for a wrong one.
        candidate, parent: float64 [n], the same images in the same order.

    Raises:
        RunError: lengths differ, no images, an unknown metric, or a top-k value that is neither 0 nor 1.
    """
    ours, theirs = np.asarray(candidate, dtype=np.float64), np.asarray(parent, dtype=np.float64)
    if metric not in METRICS:
        raise RunError(f"{name}: metric {metric!r} cannot be compared. Use one of {', '.join(METRICS)}.")
    if ours.ndim != 1 or ours.shape != theirs.shape or ours.size == 0:
        raise RunError(
            f"{name}: {metric} of the candidate has shape {ours.shape}, the parent's {theirs.shape}. "
            "Give one value an image for both, on the same images (at least one)."
        )
    if metric == "nll":
        return Comparison(name, metric, *_mean_difference(ours - theirs))
    for values, whose in ((ours, "candidate"), (theirs, "parent")):
        strange = values[(values != 0) & (values != 1)]
        if strange.size:
            raise RunError(f"{name}: {metric} of the {whose} holds {strange[0]}. Give 1 for right and 0 for wrong.")
    return Comparison(name, metric, *_proportions(ours.astype(bool), theirs.astype(bool)))


def _mean_difference(values: np.ndarray) -> tuple[float, tuple[float, float], float]:
    undefined = (math.nan, math.nan)
    if not np.isfinite(values).all():
        return math.nan, undefined, math.nan
    mean = math.fsum(values) / values.size
    if values.size < 2:
        return mean, undefined, math.nan
    error = float(np.std(values, ddof=1)) / math.sqrt(values.size)
    if error == 0 or (values == values[0]).all():
        return mean, (mean, mean), float(mean == 0)
    freedom = values.size - 1
    half = float(stats.t.ppf((1 + LEVEL) / 2, freedom)) * error
    return mean, (mean - half, mean + half), float(2 * stats.t.sf(abs(mean) / error, freedom))


def _proportions(ours: np.ndarray, theirs: np.ndarray) -> tuple[float, tuple[float, float], float]:
    n = ours.size
    won, lost = int(np.count_nonzero(ours & ~theirs)), int(np.count_nonzero(theirs & ~ours))
    p_value = float(stats.binomtest(won, won + lost, 0.5).pvalue) if won + lost else 1.0
    return (won - lost) / n, (_tango_lower(n, won, lost), -_tango_lower(n, lost, won)), p_value


def _tango_lower(n: int, won: int, lost: int) -> float:
    """Lower bound of (won - lost) / n: where the score statistic equals the normal quantile (Tango 1998, eq. 12)."""
    estimate = (won - lost) / n

    def excess(delta: float) -> float:
        # q: maximum likelihood of P(lost) when the difference is delta
        b = -(won + lost) + (2 * n - won + lost) * delta
        root = math.sqrt(max(b * b + 8 * n * lost * delta * (1 - delta), 0.0))
        q = (root - b) / (4 * n)
        variance = max(2 * q + delta * (1 - delta), 0.0) / n
        return estimate - delta - _Z * math.sqrt(variance)

    if estimate - _NOT_ZERO <= -1:
        return -1.0
    return float(optimize.brentq(excess, -1.0, estimate - _NOT_ZERO, xtol=1e-14))


def _or_none(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _or_nan(value: float | None) -> float:
    return math.nan if value is None else float(value)
