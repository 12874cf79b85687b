"""A measure that is no mean over images, compared with the parent's: the delete-a-group jackknife.

The test images fall into groups, the same for both networks; the sums of each group are kept apart (they merge, so
any measure can be taken of any union of groups). Leaving out one group after the other shows how far chance moves
the difference (Kott, Journal of Official Statistics 17, 2001). For a measure with corners, such as the worst class,
interval and p are approximate.
"""

import math
from collections.abc import Callable

import numpy as np
from scipy import stats

from evoray.statistics.paired import LEVEL, Comparison


def compare_blocks(
    name: str, value: Callable[[np.ndarray], float], candidate: np.ndarray, parent: np.ndarray, records: np.ndarray
) -> Comparison:
    """Candidate minus parent in ``value`` (higher is better) of merged sums.

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
