"""Candidates on part of ``select``, by way of the journal: what races, the mutation window and sigma = "auto" share."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from evoray.backends import Job
from evoray.errors import RunError
from evoray.evaluation.units.children import Candidate
from evoray.evaluation.units.subset import PAIRED, PieceUnit
from evoray.fitness import COLUMNS, merge_shards
from evoray.mutation import Lineage
from evoray.search.session import OpenRun

Bounds = Mapping[int, tuple[int, int]]
"""By shard: from which of its rows to which, in the seeded order of ``Splits.piece``."""


@dataclass(frozen=True)
class Pieces:
    """rows: float64 [candidates, shards, width], as ``PieceUnit.run`` gives them; candidates that were given up."""

    rows: np.ndarray
    given_up: set[int]

    def total(self, candidate: int) -> np.ndarray | None:
        """The candidate's rows added in shard order; None where it was given up."""
        return None if candidate in self.given_up else merge_shards(self.rows[candidate])


def share_of(rows: Mapping[int, int], before: int, seen: int) -> Bounds:
    """Images ``before`` to ``seen`` of all, taken from every shard in proportion: ``rows`` is images by shard.

    The bounds of [0, a], [a, b], … tile every shard, and each step is exact to one image a shard.
    """
    whole = sum(rows.values())
    return {shard: (before * count // whole, seen * count // whole) for shard, count in rows.items()}


def some_of(rows: Mapping[int, int], images: int) -> Bounds:
    """Just ``images`` images (or all there are), spread over the shards."""
    whole, bounds, passed = sum(rows.values()), {}, 0
    images = min(images, whole)
    for shard, count in rows.items():
        start, stop = (at * images // whole for at in (passed, passed + count))
        bounds[shard] = (0, stop - start)
        passed += count
    return bounds


def rows_by_shard(run: OpenRun) -> dict[int, int]:
    """Images of ``select`` in each shard that has any."""
    splits = run.inputs.splits
    return {shard: len(splits.rows["select"][shard]) for shard in splits.shards("select")}


def evaluate_pieces(
    run: OpenRun,
    stage: str,
    base: Lineage,
    candidates: Sequence[tuple[str, Lineage]],
    items: Sequence[int],
    bounds: Bounds,
) -> Pieces:
    """Evaluates ``items`` (numbers into ``candidates``, which are name and lineage) on the pieces.

    Raises:
        RunError: the search is over; candidates are judged before ``test`` is opened.
    """
    if run.closed is not None:
        raise RunError("a child was to be judged after the search was over and test was opened.")
    shards = [shard for shard, (start, stop) in sorted(bounds.items()) if stop > start]
    column = {shard: at for at, shard in enumerate(shards)}
    number = {name: i for i, (name, _) in enumerate(candidates)}
    width = len(COLUMNS) + run.fitness.width + PAIRED
    found = Pieces(np.full((len(candidates), len(shards), width), math.nan), set())
    for name, shard, payload in run.known.take(stage):
        found.rows[number[name], column[shard]] = np.frombuffer(payload)
    found.given_up.update(number[name] for name in run.quarantined(stage))

    def unit(shard: int, chosen: tuple[int, ...]) -> PieceUnit:
        children = tuple(Candidate(candidates[i][0], candidates[i][1].tail(base)) for i in chosen)
        return PieceUnit(base, children, "select", shard, *bounds[shard])

    unknown = np.isnan(found.rows[:, :, 0])
    unknown[list(found.given_up)] = False
    work = {shard: [i for i in items if unknown[i, at]] for shard, at in column.items()}
    for shard, item, value, failure in run.outcomes(stage, Job(work, unit, (base,))):
        if failure is not None:
            if item not in found.given_up:
                found.given_up.add(item)
                run.give_up(stage, candidates[item][0], shard, failure)
            continue
        found.rows[item, column[shard]] = value
        run.images += int(value[0])
        run.journal.add((stage, candidates[item][0], shard), value.tobytes())
    return found
