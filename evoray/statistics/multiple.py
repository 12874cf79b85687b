"""Several comparisons at once: without a true difference, one in twenty would look like one."""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from evoray.statistics.paired import Comparison


def holm(p_values: Sequence[float]) -> list[float]:
    """p-values corrected by Holm's step-down procedure (Scandinavian Journal of Statistics 6, 1979).

    Rejecting where the corrected value is at most 5% makes a false claim in at most 5% of families, whatever the
    dependence between them. NaN (not defined) stays NaN and does not count.
    """
    values = np.asarray(p_values, dtype=np.float64)
    known = np.flatnonzero(np.isfinite(values))
    order = known[np.argsort(values[known], kind="stable")]
    steps = values[order] * (len(known) - np.arange(len(known)))
    adjusted = np.full(len(values), math.nan)
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return adjusted.tolist()


def corrected(comparisons: Sequence[Comparison], primary: str = "nll") -> list[Comparison]:
    """The same comparisons, each with its ``p_adjusted``.

    Candidates in the ``primary`` measure, on which a run's claim rests, are one family; every other comparison counts
    as one of all of them. So the claim is false in at most 5% of runs without a true difference, and so is the
    first thing said beside it.
    """
    everywhere = holm([one.p_value for one in comparisons])
    first = [i for i, one in enumerate(comparisons) if one.metric == primary and one.against == "parent"]
    own = dict(zip(first, holm([comparisons[i].p_value for i in first]), strict=True))
    return [replace(one, p_adjusted=own.get(i, everywhere[i])) for i, one in enumerate(comparisons)]
