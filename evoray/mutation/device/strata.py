"""The form of a mutation that a device can draw: strata of neighbours on a run of coordinates.

``strata_form`` gives it for a recipe, or None: then the recipe is drawn by NumPy and its deltas are transferred. A kind
that has such a form adds it to ``FORMS``.
"""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from evoray.mutation.layered import Layered
from evoray.mutation.masks import mask_indices
from evoray.mutation.partition import Partition
from evoray.mutation.recipe import Recipe
from evoray.mutation.space import Space


class Strata(NamedTuple):
    """Mask and noise of format 1 on ``length`` coordinates of a vector from ``start`` on.

    The vector is the tensors of the space laid end to end in ``order`` (their numbers; None: as they are, which is the
    flat vector). Positions count from ``start``: stratum i holds i * parts … (i + 1) * parts - 1, and changes one.
    """

    mask_seed: int
    parts: int
    part: int
    noise_seed: int
    sigma: float
    sign: int
    start: int
    length: int
    order: tuple[int, ...] | None = None

    def between(self, start: int, stop: int) -> tuple[int, int]:
        """(first, count) of the strata that change a position of start … stop - 1, which is inside the run.

        In O(1) and on the host: what a device draws for them has a known length, and nobody waits for it.
        """
        if start >= stop:
            return 0, 0
        first, last = start // self.parts, -(-stop // self.parts)
        if start % self.parts and self._position(first) < start:
            first += 1
        if first < last and stop % self.parts and self._position(last - 1) >= stop:
            last -= 1
        return first, last - first

    def _position(self, stratum: int) -> int:
        # on a vector that is long enough, so that nothing is dropped
        n = (stratum + 1) * self.parts
        return int(mask_indices(n, self.mask_seed, self.parts, self.part, stratum, 1)[0])


class Run(NamedTuple):
    """Positions start … stop - 1 of strata; ``shift`` is what their places in the flat vector are ahead by."""

    start: int
    stop: int
    shift: int


def runs(strata: Strata, space: Space, start: int, stop: int) -> Iterator[Run]:
    """The positions that are coordinates start … stop - 1 of the flat vector, run after run."""
    if strata.order is None:
        spans = [(start, stop, start)]
    else:
        spans = _spans(space, strata.order, start, stop)
    for flat, end, drawn in spans:
        position = drawn - strata.start
        first, last = max(position, 0), min(position + end - flat, strata.length)
        if first < last:
            yield Run(first, last, flat - position)


def _spans(space: Space, order: tuple[int, ...], start: int, stop: int) -> list[tuple[int, int, int]]:
    """(flat start, flat stop, place in the vector of ``order``) of each tensor's part of a flat range."""
    offsets = space.offsets
    places = drawn_offsets(space, order)
    low, high = np.searchsorted(offsets[1:], start, side="right"), np.searchsorted(offsets, stop)
    spans = []
    for number in range(int(low), int(high)):
        first, last = max(start, int(offsets[number])), min(stop, int(offsets[number + 1]))
        spans.append((first, last, int(places[number]) + first - int(offsets[number])))
    return spans


def drawn_offsets(space: Space, order: tuple[int, ...] | None) -> np.ndarray:
    """int64 [tensors]: where each tensor of the space starts in the vector of ``order``."""
    if order is None:
        return space.offsets[:-1]
    sizes = np.diff(space.offsets)[list(order)]
    starts = np.empty(len(sizes), dtype=np.int64)
    starts[list(order)] = np.cumsum(sizes) - sizes
    return starts


def _partition(mutation: Partition, space: Space) -> Strata:
    return Strata(
        mutation.mask_seed,
        mutation.parts,
        mutation.part,
        mutation.noise_seed,
        mutation.sigma,
        mutation.sign,
        start=0,
        length=space.n,
    )


def _layered(mutation: Layered, space: Space) -> Strata | None:
    if space.depth is None:
        return None  # NumPy's way says what is wrong
    first, last = mutation.bounds(space.n)
    whole = _partition(mutation.inside, space)
    return whole._replace(start=first, length=last - first, order=space.depth)


FORMS: dict[type[Recipe], Callable[[Any, Space], Strata | None]] = {Partition: _partition, Layered: _layered}
"""By the class itself: one derived from it may draw something else."""


def strata_form(mutation: Recipe, space: Space) -> Strata | None:
    """What a device draws for a mutation, or None where its kind has no such form."""
    form = FORMS.get(type(mutation))
    return None if form is None else form(mutation, space)
