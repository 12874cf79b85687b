"""(1+λ): λ children of one base; the best of them replaces it where it is better (Beyer & Schwefel 2002).

A generation adds at most one entry to the base's lineage.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

from evoray.config import MutationConfig, RunConfig, SearchConfig
from evoray.mutation import Lineage
from evoray.strategies.base import Ask, Replayed, Round, drawn_by, ranked
from evoray.strategies.sampling import draw_children


class OnePlusLambdaSearch(SearchConfig):
    """The best child replaces its parent, if better. ``children`` is λ."""

    strategy: Literal["one-plus-lambda"] = "one-plus-lambda"


class OnePlusLambda(Replayed):
    """``children`` is λ; the first round also evaluates the parent."""

    Section = OnePlusLambdaSearch
    elite = 1

    def __init__(self, mutation: MutationConfig, sigma: float, seed: int, children: int, generations: int) -> None:
        super().__init__()
        self._mutation, self._sigma, self._seed = mutation, sigma, seed
        self._children, self._generations = children, generations
        self._generation = 0
        self._base = Ask("parent", Lineage(), 0, "parent", own=0)
        self._base_fitness = -math.inf

    @classmethod
    def from_config(cls, config: RunConfig, search: OnePlusLambdaSearch) -> OnePlusLambda:
        return cls(*drawn_by(config), search.children, search.generations)

    @property
    def soup(self) -> Ask | None:
        return None if self._base.kind == "parent" else self._base

    def ask(self) -> Round | None:
        generation, base = self._generation, self._base
        if generation >= self._generations:
            return None
        drawn = self._mutation, self._sigma, self._seed, generation, self._children
        children = draw_children(*drawn, base.lineage, self.credits)
        return Round(base.lineage, tuple([base, *children] if generation == 0 else children))

    def _tell(self, pairs: Sequence[tuple[float, Ask]]) -> None:
        if self._generation == 0:
            self._base_fitness = pairs[0][0]
            pairs = pairs[1:]
        self.learn(self._mutation, self._base_fitness, pairs)
        for fitness, ask in ranked(pairs)[:1]:
            if fitness > self._base_fitness:
                self._base, self._base_fitness = ask, fitness
        self._generation += 1
