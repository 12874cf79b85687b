"""A fitness that is no mean of records, such as macro F1, of two runs: by the groups that test records fall in.

Which class each record was answered with is not kept, so records cannot be drawn again one by one. But the final test
keeps the counts of BLOCKS groups of records apart, the same groups in both runs; leaving out one after the other is
how a run compares such a fitness with its own parent (``statistics/paired.py``).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from evoray.errors import UsageError
from evoray.evaluation.units.ensemble import BLOCKS
from evoray.fitness.per_class import OF_COUNTS
from evoray.report.finished_run import Run as Finished
from evoray.statistics import Comparison, compare_blocks
from evoray.tasks.registry import TASKS
from evoray.tasks.sums import SumsLayout

COUNTS = 3


@dataclass(frozen=True)
class Groups:
    """Of one network: records float64 [BLOCKS], counts float64 [BLOCKS, 3, classes]."""

    records: np.ndarray
    counts: np.ndarray


def groups_of(
    finished: Finished, task: str, names: Sequence[str], shards: Sequence[Mapping[str, np.ndarray]]
) -> dict[str, Groups]:
    """By network, those whose counts give the figure that the summary reports; empty for another kind of fitness.

    Args:
        names: rows of the shards' arrays. shards: what the final test left of each.
    """
    number, kind = OF_COUNTS.get(finished.fitness), TASKS.get(task)
    classes = (finished.summary.get("classes") or {}).get("data")
    columns: Any = getattr(kind, "columns", ())
    if number is None or type(classes) is not int or classes < 1 or "n" not in columns:
        return {}
    layout = SumsLayout(tuple(columns), COUNTS * classes)
    total = np.zeros((len(names), BLOCKS, layout.width))
    for shard in shards:
        at, sums = shard.get("block_at"), shard.get("block_sum")
        if at is None or sums is None or at.shape != sums.shape or (len(at) and at.max() >= total.size):
            return {}
        np.add.at(total.reshape(-1), at, sums)
    records = layout.column(total, "n")
    counts = layout.of_fitness(total).reshape(len(names), BLOCKS, COUNTS, classes)
    found = {name: Groups(records[row], counts[row]) for row, name in enumerate(names)}
    return {name: one for name, one in found.items() if _is_reported(finished, name, number(one.counts.sum(axis=0)))}


def _is_reported(finished: Finished, network: str, value: float) -> bool:
    try:
        reported = finished.test(network, finished.fitness) if network in finished.networks else None
    except UsageError:
        return False
    return reported is not None and math.isclose(value, reported, rel_tol=1e-6, abs_tol=1e-9)


def difference(network: str, fitness: str, ours: Groups, theirs: Groups) -> Comparison | None:
    """Ours minus theirs; None where the groups are not of the same records."""
    if ours.counts.shape != theirs.counts.shape or not np.array_equal(ours.records, theirs.records):
        return None
    number, shape = OF_COUNTS[fitness], ours.counts.shape[1:]
    ours_flat, theirs_flat = (one.counts.reshape(BLOCKS, -1) for one in (ours, theirs))
    found = compare_blocks(network, lambda sums: number(sums.reshape(shape)), ours_flat, theirs_flat, ours.records)
    return replace(found, metric=fitness, higher_is_better=True)
