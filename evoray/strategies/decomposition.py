"""Generations of the decomposition (Whitaker & Whitley 2023, section 3).

A generation's children are sparse mutations of one base. K children of one mask seed own disjoint coordinates that
together are all of them; more than K children start another mask seed. Then soups of the best children are evaluated on
the same images: for the best m (2, 4, 8, …), the mean of their weights, and longer steps in the same direction up to
the sum of their mutations, which disjoint masks allow without one undoing another. The best of all these and of the
children is kept, only if it is better than the base; it is the next generation's base.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Literal

from evoray.config import MutationConfig, RunConfig, SearchConfig
from evoray.mutation import Lineage, soup
from evoray.strategies.base import Ask, Replayed, Round, drawn_by, ranked
from evoray.strategies.sampling import draw_children


def soup_plan(largest: int) -> Iterator[tuple[int, float]]:
    """(m, step) of the soups tried: m doubles up to ``largest``; steps 1 (the mean), m/2 and m (the sum)."""
    sizes = [2**power for power in range(1, largest.bit_length()) if 2**power < largest]
    for size in (*sizes, *([largest] if largest > 1 else [])):
        for step in sorted({1.0, size / 2, float(size)}):
            yield size, step


class DecompositionSearch(SearchConfig):
    """Children of disjoint masks; the best child or soup is the next base, if better. ``elite``: the largest soup."""

    strategy: Literal["decomposition"] = "decomposition"


class Decomposition(Replayed):
    """Ask/tell for one or more generations; ``soup_size`` is the largest soup tried."""

    Section = DecompositionSearch

    def __init__(
        self, mutation: MutationConfig, sigma: float, seed: int, children: int, generations: int, soup_size: int
    ) -> None:
        super().__init__()
        self._mutation, self._sigma, self._seed = mutation, sigma, seed
        self._children, self._generations = children, generations
        self._soup_size = soup_size
        self._generation = 0
        self._base = Ask("parent", Lineage(), 0, "parent", own=0)
        self._base_fitness = -math.inf
        self._ranked: list[tuple[float, Ask]] | None = None

    @classmethod
    def from_config(cls, config: RunConfig, search: DecompositionSearch) -> Decomposition:
        return cls(*drawn_by(config), search.children, search.generations, soup_size=config.elite)

    @property
    def elite(self) -> int:
        return self._soup_size

    @property
    def soup(self) -> Ask | None:
        return None if self._base.kind == "parent" else self._base

    def ask(self) -> Round | None:
        if self._generation >= self._generations:
            return None
        asks = self._ask_children() if self._ranked is None else self._ask_soups()
        return Round(self._base.lineage, tuple(asks))

    def _tell(self, pairs: Sequence[tuple[float, Ask]]) -> None:
        if self._ranked is not None:
            self._finish_generation([self._ranked[0], *pairs])
            return
        if self._generation == 0:
            self._base_fitness = pairs[0][0]
            pairs = pairs[1:]
        self.learn(self._mutation, self._base_fitness, pairs)
        self._ranked = ranked(pairs)[: self._soup_size]
        if len(self._ranked) < 2:
            self._finish_generation(self._ranked)

    def _ask_children(self) -> list[Ask]:
        base, generation = self._base, self._generation
        drawn = self._mutation, self._sigma, self._seed, generation, self._children
        children = draw_children(*drawn, base.lineage, self.credits)
        return [base, *children] if generation == 0 else children

    def _ask_soups(self) -> list[Ask]:
        assert self._ranked is not None
        best = [ask.lineage for _, ask in self._ranked]
        return [
            Ask(
                f"g{self._generation:04d}/soup{size:02d}x{step:g}",
                soup(best[:size], self._base.lineage, step),
                self._generation,
                "soup",
                own=size,
            )
            for size, step in soup_plan(len(best))
        ]

    def _finish_generation(self, candidates: Sequence[tuple[float, Ask]]) -> None:
        for fitness, ask in candidates:
            if fitness > self._base_fitness:
                self._base, self._base_fitness = ask, fitness
        self._ranked = None
        self._generation += 1
