"""What strategies share whose children make a step together: (μ/μ, λ), the evolution strategy, CMA-ES.

The gains of many children add up only as far as the fitness is linear, so a sum of steps that are right one by one can
be ten times too long. A step's length is therefore searched for: once a generation's children are told, a round
evaluates the step at three lengths around the one that was best before. The best of them is the next centre, if it is
better than the present one; else the centre stays, and the next steps are shorter.
"""

import math
from collections.abc import Sequence

import numpy as np
from scipy import stats

from evoray.config import MutationConfig
from evoray.mutation import Entry, Lineage
from evoray.strategies.base import Ask, Replayed, Round
from evoray.strategies.sampling import draw_children

FACTORS = (0.25, 1.0, 4.0)
"""Lengths that are tried, times the one that was best before; the least of them where none was better."""


class MovingCentre(Replayed):
    """A subclass gives ``_move``, and ``_at`` and ``_settle`` where a step is not added to the centre's entries."""

    revision = 2

    def __init__(self, mutation: MutationConfig, sigma: float, seed: int, children: int, generations: int) -> None:
        super().__init__()
        self._mutation, self._sigma, self._seed = mutation, sigma, seed
        self._children, self._generations = children, generations
        self._generation = 0
        self._centre = Ask("parent", Lineage(), 0, "parent", own=0)
        self._fitness = -math.inf
        """Of the centre."""
        self._best_length = 1.0
        self._moved: Lineage | None = None
        """The end of a step of length 1, while its lengths are tried."""

    @property
    def winners(self) -> int:
        """The step that children make is judged, and not the children."""
        return 0 if self._moved is None else 1

    @property
    def soup(self) -> Ask | None:
        return None if self._centre.kind == "parent" else self._centre

    def ask(self) -> Round | None:
        if self._generation >= self._generations:
            return None
        if self._moved is not None:
            return self._ask_steps()
        children = self._draw()
        return Round(self._base, (self._centre, *children) if self._generation == 0 else tuple(children))

    @property
    def _base(self) -> Lineage:
        """What children start with."""
        return self._centre.lineage

    def _draw(self) -> list[Ask]:
        """The children of this generation."""
        drawn = self._mutation, self._sigma, self._seed, self._generation, self._children
        return draw_children(*drawn, self._centre.lineage, self.credits)

    @property
    def _lengths(self) -> list[float]:
        return [self._best_length * factor for factor in FACTORS]

    def _ask_steps(self) -> Round:
        generation, ends = self._generation, [(length, self._at(length)) for length in self._lengths]
        asks = [
            Ask(f"g{generation:04d}/stepx{length:g}", end, generation, "soup", own=len(end.entries))
            for length, end in ends
        ]
        extends = all(self._base.is_prefix_of(end) for _, end in ends)
        return Round(self._base if extends else Lineage(), tuple(asks))

    def _move(self, pairs: Sequence[tuple[float, Ask]]) -> Lineage:
        """The end of a step of length 1, from all children and their fitness as drawn (some may have failed)."""
        raise NotImplementedError

    def _at(self, length: float) -> Lineage:
        """The end of the present step at a length."""
        assert self._moved is not None
        base = self._centre.lineage
        return base.then(Entry(length * entry.weight, entry.mutation) for entry in self._moved.tail(base))

    def _settle(self, length: float) -> None:
        """The present step was made at this length, 0 where it was not."""

    def _tell(self, pairs: Sequence[tuple[float, Ask]]) -> None:
        if self._moved is not None:
            self._choose(pairs)
            return
        if self._generation == 0:
            self._fitness, pairs = pairs[0][0], pairs[1:]
        self.learn(self._mutation, self._fitness, pairs)
        moved = self._move(pairs)
        if moved == self._centre.lineage:
            self._generation += 1
        else:
            self._moved = moved

    def _choose(self, steps: Sequence[tuple[float, Ask]]) -> None:
        length, (fitness, ask) = max(zip(self._lengths, steps, strict=True), key=lambda one: one[1][0])
        if fitness > self._fitness:
            self._settle(length)
            self._centre, self._fitness, self._best_length = ask, fitness, length
        else:
            self._settle(0.0)
            self._best_length *= min(FACTORS)
        self._moved = None
        self._generation += 1


def centred_ranks(fitness: Sequence[float]) -> np.ndarray:
    """float64 [n] in [-1/2, 1/2], the best highest, summing to zero; equals share their mean rank.

    Failures (-inf) are equals of each other, below all others.
    """
    values = np.asarray(fitness, dtype=np.float64)
    if values.size < 2:
        return np.zeros(values.size)
    ranks = np.asarray(stats.rankdata(values, method="average"))
    return (ranks - 1) / (values.size - 1) - 0.5
