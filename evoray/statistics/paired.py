"""A candidate against its parent, image by image.

Both networks see the same images, so the noise of easy and hard images cancels in the differences:

- a mean of values (NLL, say): mean difference with Student's t interval and the paired t-test.
- a share of right answers (top-1 accuracy, say): difference of two paired proportions. p is McNemar's exact test
  (McNemar 1947): of the images on which just one of the two is right, how many would a fair coin give to the
  candidate? The interval is Tango's score interval (Statistics in Medicine 17, 1998), which keeps its coverage when
  few images differ, and has a width even when none does.
- a measure that is no mean over images: the delete-a-group jackknife (``compare_blocks``).
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, Self

import numpy as np
from scipy import optimize, stats

from evoray.errors import RunError, UsageError

Effect = Literal["better", "worse", "not shown", "undefined"]

BEFORE: Mapping[str, bool] = {"nll": False, "top1": True, "top5": True, "fitness": True}
"""Whether higher is better, for comparisons in files that were written before each said so itself."""

LEVEL = 0.95
RESAMPLES = 2000
_Z = float(stats.norm.ppf((1 + LEVEL) / 2))
_NOT_ZERO = 1e-12
"""The score interval's equation has a second, meaningless root at the estimate itself; this steps past it."""


@dataclass(frozen=True)
class Comparison:
    """Candidate minus parent, in the metric's own unit (fractions for shares).

    metric: a figure of the task, or ``fitness`` for one that is no mean over images, in which higher is better.

    ci95 and p_value are NaN where they are not defined: one image, or an image whose value is NaN or infinite.
    """

    name: str
    metric: str
    difference: float
    ci95: tuple[float, float]
    p_value: float
    effect_size: float = math.nan
    """Means: Cohen's d of the paired differences. Shares: Cohen's g, the share of images on which just one is right
    that the candidate won, minus a half. fitness: difference over its standard error."""
    bootstrap_ci95: tuple[float, float] = (math.nan, math.nan)
    """Means: percentiles of 2,000 paired bootstrap resamples (Efron & Tibshirani 1993), a check on Student's t."""
    p_adjusted: float = math.nan
    """p with all comparisons of its family counted (Holm), where they were."""
    against: str = "parent"
    """``parent``, or ``parent_calibrated`` for the parent at its own temperature."""
    higher_is_better: bool | None = None
    """Of the metric; None where it is one of BEFORE, which says so."""

    @property
    def sign(self) -> int:
        """Of a difference that is an improvement."""
        higher = BEFORE.get(self.metric, True) if self.higher_is_better is None else self.higher_is_better
        return 1 if higher else -1

    def turned(self, higher_is_better: bool) -> Self:
        """The same in the direction in which people know the measure: a cost as a cost, and not as its negative."""
        if self.sign == (1 if higher_is_better else -1):
            return self
        (low, high), (lowest, highest) = self.ci95, self.bootstrap_ci95
        return replace(
            self,
            difference=-self.difference,
            ci95=(-high, -low),
            bootstrap_ci95=(-highest, -lowest),
            higher_is_better=higher_is_better,
        )

    @property
    def effect(self) -> Effect:
        """``better`` or ``worse`` only where the interval is clear of zero and the test agrees at 5%."""
        low, high = self.ci95
        if not all(map(math.isfinite, (self.difference, low, high, self.p_value))):
            return "undefined"
        p_value = self.p_adjusted if math.isfinite(self.p_adjusted) else self.p_value
        if low <= 0 <= high or p_value > 1 - LEVEL:
            return "not shown"
        return "better" if self.difference * self.sign > 0 else "worse"

    def to_dict(self) -> dict[str, Any]:
        """JSON's form: what is not defined is None."""
        return {
            "name": self.name,
            "metric": self.metric,
            "higher_is_better": self.sign > 0,
            "difference": _or_none(self.difference),
            "ci95": [_or_none(bound) for bound in self.ci95],
            "p_value": _or_none(self.p_value),
            "p_adjusted": _or_none(self.p_adjusted),
            "effect_size": _or_none(self.effect_size),
            "bootstrap_ci95": [_or_none(bound) for bound in self.bootstrap_ci95],
            "against": self.against,
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """The inverse of ``to_dict``; UsageError when a key is missing, no number, or a metric of no direction."""
        try:
            higher = values.get("higher_is_better")
            if not isinstance(higher, bool) and (higher is not None or values["metric"] not in BEFORE):
                raise ValueError(f"metric {values['metric']!r} does not say whether higher is better")
            low, high = values["ci95"]
            bootstrap = values.get("bootstrap_ci95", (None, None))
            return cls(
                name=str(values["name"]),
                metric=str(values["metric"]),
                difference=_or_nan(values["difference"]),
                ci95=(_or_nan(low), _or_nan(high)),
                p_value=_or_nan(values["p_value"]),
                effect_size=_or_nan(values.get("effect_size")),
                bootstrap_ci95=(_or_nan(bootstrap[0]), _or_nan(bootstrap[1])),
                p_adjusted=_or_nan(values.get("p_adjusted")),
                against=str(values.get("against", "parent")),
                higher_is_better=higher,
            )
        except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
            raise UsageError(
                f"comparison {values!r}: damaged ({type(error).__name__}: {error}). Take the summary.json of the run."
            ) from None


def compare(
    name: str, metric: str, candidate: np.ndarray, parent: np.ndarray, *, shares: bool, higher_is_better: bool
) -> Comparison:
    """Compares per-image values of a candidate with its parent's on the same images.

    Args:
        name: what the candidate is called.
        metric: what the values are of, a figure of the task.
        candidate, parent: float64 [n], the same images in the same order.
        shares: whether values are 1 (right) or 0 (wrong), and their mean a share.
        higher_is_better: of the metric.

    Raises:
        RunError: lengths differ, no images, or a value of a share that is neither 0 nor 1.
    """
    ours, theirs = np.asarray(candidate, dtype=np.float64), np.asarray(parent, dtype=np.float64)
    if ours.ndim != 1 or ours.shape != theirs.shape or ours.size == 0:
        raise RunError(
            f"{name}: {metric} of the candidate has shape {ours.shape}, the parent's {theirs.shape}. "
            "Give one value an image for both, on the same images (at least one)."
        )
    if not shares:
        differences = ours - theirs
        mean, interval, p_value = _mean_difference(differences)
        found = Comparison(name, metric, mean, interval, p_value, _cohens_d(differences), _bootstrap(differences))
        return replace(found, higher_is_better=higher_is_better)
    for values, whose in ((ours, "candidate"), (theirs, "parent")):
        strange = values[(values != 0) & (values != 1)]
        if strange.size:
            raise RunError(f"{name}: {metric} of the {whose} holds {strange[0]}. Give 1 for right and 0 for wrong.")
    difference, interval, p_value, g = _proportions(ours.astype(bool), theirs.astype(bool))
    return Comparison(name, metric, difference, interval, p_value, g, higher_is_better=higher_is_better)


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


def _cohens_d(values: np.ndarray) -> float:
    """Mean over standard deviation of the paired differences; NaN where all are equal."""
    spread = float(np.std(values, ddof=1)) if values.size > 1 and np.isfinite(values).all() else 0.0
    return float(np.mean(values)) / spread if spread > 0 else math.nan


def _bootstrap(values: np.ndarray) -> tuple[float, float]:
    """95% interval of the mean, of images drawn again with replacement; the same every time."""
    if values.size < 2 or not np.isfinite(values).all():
        return math.nan, math.nan
    found = stats.bootstrap(
        (values,),
        np.mean,
        n_resamples=RESAMPLES,
        batch=max(1, 2**22 // values.size),
        confidence_level=LEVEL,
        method="percentile",
        rng=np.random.default_rng(RESAMPLES),
    ).confidence_interval
    return float(found.low), float(found.high)


def _proportions(ours: np.ndarray, theirs: np.ndarray) -> tuple[float, tuple[float, float], float, float]:
    n = ours.size
    won, lost = int(np.count_nonzero(ours & ~theirs)), int(np.count_nonzero(theirs & ~ours))
    p_value = float(stats.binomtest(won, won + lost, 0.5).pvalue) if won + lost else 1.0
    g = won / (won + lost) - 0.5 if won + lost else math.nan
    return (won - lost) / n, (_tango_lower(n, won, lost), -_tango_lower(n, lost, won)), p_value, g


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


def compare_blocks(
    name: str, value: Callable[[np.ndarray], float], candidate: np.ndarray, parent: np.ndarray, records: np.ndarray
) -> Comparison:
    """Candidate minus parent in ``value`` (higher is better) of merged sums, which is no mean over images.

    The test images fall into groups, the same for both networks, whose sums are kept apart (they merge, so any measure
    can be taken of any union of groups). Leaving out one group after the other shows how far chance moves the
    difference (Kott, Journal of Official Statistics 17, 2001). For a measure with corners, such as the worst class,
    interval and p are approximate.

    Args:
        value: a fitness from a merged vector, float64 [width].
        candidate, parent: float64 [groups, width], sums of the same groups of images; a group without images is zero.
        records: how many images each group has, [groups].
    """
    some = records > 0
    ours, theirs = candidate[some], parent[some]
    groups = len(ours)
    difference = value(ours.sum(axis=0)) - value(theirs.sum(axis=0)) if groups else math.nan
    undefined = Comparison(name, "fitness", difference, (math.nan, math.nan), math.nan)
    if groups < 2:
        return undefined
    without = np.array([value(_without(ours, group)) - value(_without(theirs, group)) for group in range(groups)])
    if not (np.isfinite(without).all() and math.isfinite(difference)):
        return undefined
    error = math.sqrt((groups - 1) / groups * float(np.sum((without - without.mean()) ** 2)))
    if error == 0:
        return Comparison(name, "fitness", difference, (difference, difference), float(difference == 0))
    half = float(stats.t.ppf((1 + LEVEL) / 2, groups - 1)) * error
    p_value = float(2 * stats.t.sf(abs(difference) / error, groups - 1))
    return Comparison(name, "fitness", difference, (difference - half, difference + half), p_value, difference / error)


def _without(sums: np.ndarray, group: int) -> np.ndarray:
    kept: np.ndarray = np.delete(sums, group, axis=0).sum(axis=0)
    return kept
