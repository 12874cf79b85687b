"""What a run may claim, in plain language.

A run was to improve one measure, its fitness (the *primary* one); the others are beside it. It claims an improvement
only where the primary measure is better on ``test``, with the candidates compared counted (Holm). So a search that had
nothing to go by makes a false claim in at most 5% of runs, and one that lowered some other loss by luck or by mere
averaging is told apart from one that did what it was asked to do.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Protocol

import numpy as np

from evoray.statistics.paired import Comparison, Effect


class Measure(Protocol):
    """What a verdict needs to know of a figure: ``tasks.base.Measure``."""

    @property
    def words(self) -> str:
        """In a sentence."""
        ...

    @property
    def higher_is_better(self) -> bool: ...

    @property
    def is_fraction(self) -> bool: ...


Measures = Mapping[str, Measure]
"""By metric; ``fitness`` is the run's own, where that is no figure of the task."""

_NAMES = {"best_child": "the best child", "soup": "the soup", "ensemble": "the ensemble"}
_NAMES["soup_recalibrated"] = "the recalibrated soup"


def verdict(comparisons: Sequence[Comparison], primary: str, measures: Measures, split: str = "test") -> str:
    """One short paragraph on how the candidates stand against the parent on ``split``.

    Says "No improvement shown" first unless a candidate is ``better`` (see ``Comparison.effect``) in ``primary``;
    what is clearly worse is always said too. One that was compared with the parent at its own temperature as well
    has to be better than both. Amounts are in the measure's own direction: a cost that falls is lower.
    """
    comparisons = [
        one.turned(measures[one.metric].higher_is_better) if one.metric in measures else one for one in comparisons
    ]
    plain = [one for one in comparisons if one.against == "parent"]
    won = {one.name for one in plain if one.metric == primary and one.effect == "better"}
    won -= {one.name for one in comparisons if one.against != "parent" and one.effect != "better"}
    claimed = [one for one in plain if one.name in won]
    others = [one for one in plain if one.name not in won]
    better, beside = _list(claimed, "better", measures), _list(others, "better", measures)
    worse, undefined = _list(plain, "worse", measures), _list(plain, "undefined", measures)
    if better:
        sentences = [f"Improvement on the parent, measured on {split}: {better}."]
    else:
        sentences = [f"No improvement shown on {split}{_aim(primary, measures) if beside else ''}."]
        if not worse and not undefined and not beside:
            sentences.append(_chance(comparisons))
    if beside:
        sentences.append(f"Beside what the search was to improve: {beside}.")
    if worse:
        sentences.append(f"Worse than the parent: {worse}.")
    if better and (unshown := _unshown(others)):
        sentences.append(f"No improvement shown for {unshown}.")
    if undefined:
        sentences.append(f"Not comparable, too few images or outputs that are not finite: {undefined}.")
    return " ".join(sentences)


def _aim(primary: str, measures: Measures) -> str:
    return f" in {_words(primary, measures)}, which the search was to improve"


def _words(metric: str, measures: Measures) -> str:
    return measures[metric].words if metric in measures else metric


def _chance(comparisons: Sequence[Comparison]) -> str:
    if all(one.ci95[0] <= 0 <= one.ci95[1] for one in comparisons):
        return "Every difference from the parent may be chance: the 95% intervals include zero."
    return "Every difference from the parent may be chance, once all that was compared is counted."


def _list(comparisons: Sequence[Comparison], effect: Effect, measures: Measures) -> str:
    """``the soup (NLL lower by 0.0123) and the ensemble (…)``; empty when there is none."""
    found: dict[str, list[str]] = {}
    for one in comparisons:
        if one.effect == effect:
            found.setdefault(one.name, []).append(_amount(one, effect, measures))
    return _and([f"{_NAMES.get(name, name)} ({', '.join(parts)})" for name, parts in found.items()])


def _unshown(comparisons: Sequence[Comparison]) -> str:
    """Names of which nothing is clearly better, and nothing was said yet."""
    said = {one.name for one in comparisons if one.effect != "not shown"}
    names = dict.fromkeys(one.name for one in comparisons if one.name not in said)
    return _and([_NAMES.get(name, name) for name in names])


def _amount(one: Comparison, effect: Effect, measures: Measures) -> str:
    metric = _words(one.metric, measures)
    if effect == "undefined":
        return metric
    direction = "higher" if one.difference > 0 else "lower"
    if one.metric not in measures or not measures[one.metric].is_fraction:
        return f"{metric} {direction} by {abs(one.difference):.3g}"
    return f"{metric} {direction} by {100 * abs(one.difference):.3g} percentage points"


def _and(parts: Sequence[str]) -> str:
    if len(parts) < 2:
        return "".join(parts)
    return ", ".join(parts[:-1]) + " and " + parts[-1]


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
