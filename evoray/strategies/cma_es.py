"""CMA-ES inside a static subspace (Hansen & Ostermeier 2001), by the ``cmaes`` library (Nomura & Shibata 2024).

The subspace is spanned by d fixed mutations of one mask. A candidate x in R^d is the parent plus those d entries with
weights x_i / sqrt(d), so that the first generation, x ~ N(0, I), changes each of the mask's weights by sigma.
All candidates, and the centre, have d entries whatever the generation; the base is always the parent. What it can gain
is what d directions of the n / K weights hold, and each candidate is d sparse additions: ``dimensions`` weighs the two.

The library is told ranks in place of fitness: it uses nothing else, and a failure is then a rank like another. Its
generator is seeded anew each generation, since a copy of its state would not hold it: what is asked for depends on
(seed, generation) and on what was told alone.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated, ClassVar, Literal, Self

import numpy as np
from cmaes import CMA
from pydantic import Field, model_validator

from evoray.config import MutationConfig, RunConfig, SearchConfig
from evoray.mutation import Entry, Lineage
from evoray.runtime.seeds import Stream, derive_seed
from evoray.strategies.base import Ask, child_name, drawn_by, refuse_racing
from evoray.strategies.moving_centre import MovingCentre, centred_ranks
from evoray.strategies.sampling import draw_mutation


class CmaEsSearch(SearchConfig):
    """CMA-ES over the weights of ``dimensions`` fixed mutations of one mask."""

    strategy: Literal["cma-es"] = "cma-es"
    dimensions: Annotated[int, Field(ge=2, le=1000)] = 32
    """Fixed mutations of one mask, whose weights CMA-ES moves."""

    @model_validator(mode="after")
    def _enough(self) -> Self:
        if self.children < 4:
            raise ValueError(f"children = {self.children}: CMA-ES needs at least 4 a generation")
        return self


class CmaEs(MovingCentre):
    """``children`` candidates a generation in a subspace of ``dimensions``."""

    Section = CmaEsSearch
    mutation_defaults: ClassVar = {"subspace": "static"}

    def __init__(
        self, mutation: MutationConfig, sigma: float, seed: int, children: int, generations: int, dimensions: int
    ) -> None:
        super().__init__(mutation, sigma, seed, children, generations)
        self._directions = [draw_mutation(mutation, sigma, seed, 0, number) for number in range(dimensions)]
        self._cma = CMA(mean=np.zeros(dimensions), sigma=1.0, population_size=children)
        self._shift = np.zeros(dimensions)
        """Between the library's points and ours, as steps have other lengths: the method is the same anywhere."""
        self._start = np.zeros(dimensions)
        """Of the present step."""

    @classmethod
    def check(cls, config: RunConfig) -> None:
        if config.mutation.subspace != "static":
            raise ValueError('mutation.subspace = "dynamic": cma-es learns one subspace, leave it out or set "static"')
        if config.mutation.antithetic:
            raise ValueError("mutation.antithetic = true: cma-es draws its own candidates, set it to false")
        refuse_racing(config)

    @classmethod
    def from_config(cls, config: RunConfig, search: CmaEsSearch) -> CmaEs:
        return cls(*drawn_by(config), search.children, search.generations, search.dimensions)

    @property
    def elite(self) -> int:
        return self._children

    @property
    def _base(self) -> Lineage:
        return Lineage()

    def _points(self) -> list[np.ndarray]:
        """float64 [d] of each candidate of this generation, the same whenever it is asked."""
        self._cma.reseed_rng(derive_seed(self._seed, Stream.CMA_ES, self._generation) % 2**32)
        return [self._cma.ask() for _ in range(self._children)]

    @property
    def _mean(self) -> np.ndarray:
        return np.asarray(self._cma.mean + self._shift)

    def _draw(self) -> list[Ask]:
        generation, own = self._generation, len(self._directions)
        return [
            Ask(child_name(generation, child), self._lineage(point + self._shift), generation, "child", own)
            for child, point in enumerate(self._points())
        ]

    def _lineage(self, point: np.ndarray) -> Lineage:
        weights = (point / math.sqrt(len(self._directions))).tolist()
        return Lineage(tuple(Entry(weight, one) for weight, one in zip(weights, self._directions, strict=True)))

    def _move(self, pairs: Sequence[tuple[float, Ask]]) -> Lineage:
        worth = centred_ranks([fitness for fitness, _ in pairs])
        self._start = self._mean
        self._cma.tell(list(zip(self._points(), (-worth).tolist(), strict=True)))  # it minimises
        return self._at(1.0)

    def _at(self, length: float) -> Lineage:
        return self._lineage(self._point(length))

    def _settle(self, length: float) -> None:
        self._shift = self._point(length) - self._cma.mean

    def _point(self, length: float) -> np.ndarray:
        """float64 [d], by the step's length of the way."""
        return self._start + length * (self._mean - self._start)
