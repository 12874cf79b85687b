"""What a run may claim, in plain language: an improvement only where its interval is clear of zero."""

from __future__ import annotations

from collections.abc import Sequence

from evoray.statistics.paired import Comparison, Effect

_NAMES = {"best_child": "the best child", "soup": "the soup", "ensemble": "the ensemble"}
_METRICS = {"nll": "NLL", "top1": "top-1 accuracy", "top5": "top-5 accuracy"}


def verdict(comparisons: Sequence[Comparison], split: str = "test") -> str:
    """One short paragraph on how the candidates stand against the parent on ``split``.

    Says "No improvement shown" first unless some difference is ``better`` (see ``Comparison.effect``); what is
    clearly worse is always said too.
    """
    better, worse, undefined = (_list(comparisons, kind) for kind in ("better", "worse", "undefined"))
    sentences = []
    if better:
        sentences.append(f"Improvement on the parent, measured on {split}: {better}.")
    else:
        sentences.append(f"No improvement shown on {split}.")
        if not worse and not undefined:
            sentences.append("Every difference from the parent may be chance: the 95% intervals include zero.")
    if worse:
        sentences.append(f"Worse than the parent: {worse}.")
    if better and (unshown := _unshown(comparisons)):
        sentences.append(f"No improvement shown for {unshown}.")
    if undefined:
        sentences.append(f"Not comparable, too few images or outputs that are not finite: {undefined}.")
    return " ".join(sentences)


def _list(comparisons: Sequence[Comparison], effect: Effect) -> str:
    """``the soup (NLL lower by 0.0123) and the ensemble (…)``; empty when there is none."""
    found: dict[str, list[str]] = {}
    for one in comparisons:
        if one.effect == effect:
            found.setdefault(one.name, []).append(_amount(one, effect))
    return _and([f"{_NAMES.get(name, name)} ({', '.join(parts)})" for name, parts in found.items()])


def _unshown(comparisons: Sequence[Comparison]) -> str:
    """Names of which nothing is clearly better, and nothing was said yet."""
    said = {one.name for one in comparisons if one.effect != "not shown"}
    names = dict.fromkeys(one.name for one in comparisons if one.name not in said)
    return _and([_NAMES.get(name, name) for name in names])


def _amount(one: Comparison, effect: Effect) -> str:
    metric = _METRICS[one.metric]
    if effect == "undefined":
        return metric
    direction = "higher" if one.difference > 0 else "lower"
    if one.metric == "nll":
        return f"{metric} {direction} by {abs(one.difference):.3g}"
    return f"{metric} {direction} by {100 * abs(one.difference):.3g} percentage points"


def _and(parts: Sequence[str]) -> str:
    if len(parts) < 2:
        return "".join(parts)
    return ", ".join(parts[:-1]) + " and " + parts[-1]
