"""May two runs be compared record by record, and their paired differences, with what was compared counted."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from evoray.errors import EvorayError, UsageError
from evoray.fitness.per_class import OF_COUNTS
from evoray.report.finished_run import Run as Finished
from evoray.report.measures import ShownMeasure
from evoray.runs import groups
from evoray.runs.records import DEFAULT_TASK, RecordScores, records_of
from evoray.runs.run import Run
from evoray.runtime.reading import quoted, shown
from evoray.statistics import Comparison, compare, holm
from evoray.storage.documents import BEGINNING

FIGURES = 2
"""That are compared, the fitness first, as a run compares its own networks with their parent."""


@dataclass(frozen=True)
class Named:
    """A finished run under the name that tables have for it."""

    name: str
    run: Run

    @cached_property
    def finished(self) -> Finished:
        return Finished(self.run.summary, [])

    @cached_property
    def task(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self.run.config.get("task") or {}
        return {"name": DEFAULT_TASK, **found}

    @cached_property
    def records(self) -> RecordScores:
        return records_of(self.run)

    @cached_property
    def identity(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self.run.directory.read_json(BEGINNING[1])
        return found


@dataclass(frozen=True)
class Pair:
    """A run against the first one. reason: why they are not compared, empty where they are.

    comparisons: network by network, this run's minus the other's; each with its ``p_adjusted``.
    """

    one: Named
    other: Named
    reason: str = ""
    comparisons: tuple[Comparison, ...] = ()
    left_out: tuple[str, ...] = ()
    """What both have, and could not be compared record by record."""


def pair_all(runs: Sequence[Named]) -> list[Pair]:
    """Every run with the first, Holm over all of them: the differences in the fitness are one family, and every other
    counts as one of all that were taken."""
    first, *others = runs
    pairs = [_pair(one, first) for one in others]
    found = [(pair, one) for pair in pairs for one in pair.comparisons]
    everywhere = holm([one.p_value for _, one in found])
    primary = [at for at, (pair, one) in enumerate(found) if one.metric == pair.one.finished.fitness]
    own = dict(zip(primary, holm([found[at][1].p_value for at in primary]), strict=True))
    adjusted = iter([replace(one, p_adjusted=own.get(at, everywhere[at])) for at, (_, one) in enumerate(found)])
    return [replace(pair, comparisons=tuple(next(adjusted) for _ in pair.comparisons)) for pair in pairs]


def _pair(one: Named, other: Named) -> Pair:
    try:
        if reason := why_not(one, other):
            return Pair(one, other, reason)
    except EvorayError as error:
        return Pair(one, other, str(error))
    found = list(_compared(one, other))
    left = [f"{one.finished.measures[name].said}" for name in _figures(one) if not any(c.metric == name for c in found)]
    if not found:
        return Pair(
            one, other, "neither kept scores of single records, or of groups of them, for a figure that both have."
        )
    return Pair(one, other, "", tuple(found), tuple(left))


def why_not(one: Named, other: Named) -> str:
    """Why two runs cannot be compared record by record; empty where they can.

    Raises:
        UsageError: a run did not keep what it needs, or that is damaged.
    """
    for what, ours, theirs in (
        ("tasks differ", one.task["name"], other.task["name"]),
        ("fitness differs", one.finished.fitness, other.finished.fitness),
    ):
        if ours != theirs:
            return f"{what}: {quoted(ours, 80)} and {quoted(theirs, 80)}."
    keys = [key for key in sorted({*one.task, *other.task}) if one.task.get(key) != other.task.get(key)]
    if keys:
        return f"task.{shown(keys[0], 80)} differs, so their figures measure different things."
    if reason := _other_measure(one, other):
        return reason
    ours, theirs = one.records, other.records
    if ours.data != theirs.data:
        return f"test records are of different datasets (digests {ours.data[:12]}… and {theirs.data[:12]}…)."
    if not np.array_equal(ours.index, theirs.index):
        shared = len(np.intersect1d(ours.index, theirs.index))
        return (
            f"test records differ: {len(ours.index):,} and {len(theirs.index):,} of the same dataset, {shared:,} of "
            "them in common. Runs with the same [data] and seed test on the same ones."
        )
    return "" if _same_truth(ours.label, theirs.label) else "labels of the same test records differ."


def _other_measure(one: Named, other: Named) -> str:
    """A fitness or task of one name that measures something else: other costs, or other code of its user's."""
    ours, theirs = (named.run.config.get("fitness") or {} for named in (one, other))
    for key in ("costs", "reference"):
        if ours.get(key) != theirs.get(key):
            return f"fitness.{key} differ, so their figures measure different things."
    texts = [str(value) for value in (*one.task.values(), ours.get("name", ""))]
    for module in {text.partition(":")[0] for text in texts if ":" in text}:
        codes = [(named.identity.get("code") or {}).get(module) for named in (one, other)]
        if codes[0] != codes[1]:
            return f"the code of {shown(module, 80)} differs, so their figures measure different things."
    return ""


def _same_truth(ours: np.ndarray, theirs: np.ndarray) -> bool:
    """Whether labels are equal, or the same classes by other numbers: a parent's outputs may stand in another order."""
    if ours.shape != theirs.shape:
        return False
    if np.array_equal(ours, theirs, equal_nan=ours.dtype.kind == "f" and theirs.dtype.kind == "f"):
        return True
    if ours.ndim != 1 or ours.dtype.kind not in "iu":
        return False
    pairs = len(np.unique(np.stack([ours, theirs]), axis=1).T)
    return pairs == len(np.unique(ours)) == len(np.unique(theirs))


def _figures(one: Named) -> list[str]:
    """The run's fitness, and what its own networks were compared in besides."""
    beside = [each.metric for each in one.finished.comparisons if each.metric in one.finished.measures]
    return list(dict.fromkeys([one.finished.fitness, *beside]))[:FIGURES]


def _compared(one: Named, other: Named) -> Iterator[Comparison]:
    for figure in _figures(one):
        measure = one.finished.measures[figure]
        for network in one.finished.networks:
            found = _by_groups(network, figure, one.records, other.records) or _by_records(network, measure, one, other)
            if found is not None:
                yield replace(found, against=other.name)


def _by_groups(network: str, figure: str, one: RecordScores, other: RecordScores) -> Comparison | None:
    ours, theirs = one.groups.get(network), other.groups.get(network)
    if figure not in OF_COUNTS or ours is None or theirs is None:
        return None
    if network == "parent" and np.array_equal(ours.counts, theirs.counts):
        return None
    return groups.difference(network, figure, ours, theirs)


def _by_records(network: str, measure: ShownMeasure, one: Named, other: Named) -> Comparison | None:
    ours, theirs = (named.records.scores.get(network, {}).get(measure.key) for named in (one, other))
    if ours is None or theirs is None or (network == "parent" and np.array_equal(ours, theirs)):
        return None  # the same parent is no comparison
    return _difference(network, measure, ours, theirs)


def _difference(network: str, measure: ShownMeasure, ours: np.ndarray, theirs: np.ndarray) -> Comparison:
    shares = measure.is_fraction and bool(np.isin(np.concatenate([ours, theirs]), (0, 1)).all())
    return compare(network, measure.key, ours, theirs, shares=shares, higher_is_better=measure.higher_is_better)


def check_names(locations: Sequence[str]) -> None:
    """Raises UsageError for fewer than two runs, or one that is named twice."""
    if len(locations) < 2:
        raise UsageError("compare takes two runs or more: evoray compare RUN RUN.")
    seen = {}
    for one in locations:
        key = one.rstrip("/")
        if key in seen:
            raise UsageError(f"{shown(one)}: named twice. Name different runs.")
        seen[key] = one
