"""Candidates on part of ``select``, paired with their base: what races, the mutation window and auto sigma share."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from evoray.evaluation.units.children import Candidate, ChildrenUnit, Rows
from evoray.mutation import Lineage, first_used
from evoray.search.session import Session
from evoray.search.stages import ROW, Stage, StageKey, run_stage
from evoray.tasks.sums import merge_shards


@dataclass(frozen=True)
class Subset:
    """Some rows of every shard of ``select``.

    name: no other subset of the split has it; workers hold what they have read of it under this name.
    bounds: by shard, from which of its rows to which, in the seeded order of ``Splits.subset``.
    """

    name: str
    bounds: Mapping[int, tuple[int, int]]

    @property
    def images(self) -> dict[int, int]:
        """By shard, in order; shards without any are left out."""
        return {shard: stop - start for shard, (start, stop) in sorted(self.bounds.items()) if stop > start}


@dataclass(frozen=True)
class Sums:
    """rows: float64 [candidates, shards, width], paired sums last; reasons of candidates that were given up."""

    rows: np.ndarray
    given_up: Mapping[int, str]

    def total(self, candidate: int) -> np.ndarray | None:
        """The candidate's rows added in shard order; None where it was given up."""
        return None if candidate in self.given_up else merge_shards(self.rows[candidate])


def share_of(rows: Mapping[int, int], before: int, seen: int) -> Subset:
    """Images ``before`` to ``seen`` of all, taken from every shard in proportion: ``rows`` is images by shard.

    The bounds of [0, a], [a, b], … tile every shard, and each step is exact to one image a shard.
    """
    whole = sum(rows.values())
    bounds = {shard: (before * count // whole, seen * count // whole) for shard, count in rows.items()}
    return Subset(f"select[{before}:{seen}]", bounds)


def some_of(rows: Mapping[int, int], images: int) -> Subset:
    """Just ``images`` images (or all there are), spread over the shards."""
    whole, bounds, passed = sum(rows.values()), {}, 0
    images = min(images, whole)
    for shard, count in rows.items():
        start, stop = (at * images // whole for at in (passed, passed + count))
        bounds[shard] = (0, stop - start)
        passed += count
    return Subset(f"select[some {images}]", bounds)


def evaluate_subset(
    session: Session,
    key: StageKey,
    base: Lineage,
    candidates: Sequence[tuple[str, Lineage]],
    subset: Subset,
    wanted: Sequence[int] | None = None,
) -> Sums:
    """Evaluates candidates (name and lineage), or those that are ``wanted``, on the subset's rows.

    Raises:
        RunError: the search is over; candidates are evaluated before ``test`` is opened.
    """
    session.check_searching()
    column = {shard: at for at, shard in enumerate(subset.images)}
    rows = session.fitness.layout.with_pairs.unknown(len(candidates), len(column))
    given_up = {}

    def unit(shard: int, chosen: tuple[int, ...]) -> ChildrenUnit:
        children = tuple(Candidate(candidates[i][0], candidates[i][1].tail(base)) for i in chosen)
        return ChildrenUnit(base, children, "select", shard, Rows(subset.name, *subset.bounds[shard]), paired=True)

    names = [name for name, _ in candidates]
    required = frozenset(number for number, name in enumerate(names) if name == "parent")
    stage = Stage(
        key,
        names,
        subset.images,
        unit,
        ROW,
        shared=(base,),
        held=subset.name,
        wanted=wanted,
        required=required,
        groups=first_used(session.inputs.space, [lineage.tail(base) for _, lineage in candidates]),
    )
    for result in run_stage(session, stage):
        if result.value is None:
            given_up[result.item] = result.reason
        else:
            rows[result.item, column[result.shard]] = result.value
    return Sums(rows, given_up)
