"""Generations of the decomposition (Whitaker & Whitley 2023, section 3).

A generation's children are sparse mutations of one base. K children of one mask seed own disjoint coordinates that
together are all of them; more than K children start another mask seed. Then soups of the best children are judged on
the same images: for the best m (2, 4, 8, …), the mean of their weights, and longer steps in the same direction up to
the sum of their mutations, which disjoint masks allow without one undoing another. The best of all these and of the
children is kept, only if it is better than the base; it is the next generation's base.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

from evoray.config import MutationConfig
from evoray.mutation import Lineage, Mutation, derive_seed, soup
from evoray.strategies.base import Ask, Round

MASK_STREAM, NOISE_STREAM = 1, 2
"""First words of the spawn keys under the run's seed: masks and noise never share a stream."""


def draw_mutation(config: MutationConfig, sigma: float, seed: int, generation: int, child: int) -> Mutation:
    """The recipe of one child, addressed by (seed, generation, child) and by nothing else.

    With ``antithetic``, children 2i and 2i+1 share mask and noise and differ in sign. With a static subspace
    every child of the run mutates part 0 of one mask.
    """
    index = child // 2 if config.antithetic else child
    group, part = divmod(index, config.parts)
    mask_key = (MASK_STREAM, generation, group)
    if config.subspace == "static":
        mask_key, part = (MASK_STREAM, 0, 0), 0
    return Mutation(
        mask_seed=derive_seed(seed, *mask_key),
        parts=config.parts,
        part=part,
        noise_seed=derive_seed(seed, NOISE_STREAM, generation, index),
        sigma=sigma,
        sign=-1 if config.antithetic and child % 2 else 1,
    )


def soup_plan(largest: int) -> Iterator[tuple[int, float]]:
    """(m, step) of the soups tried: m doubles up to ``largest``; steps 1 (the mean), m/2 and m (the sum)."""
    sizes = [2**power for power in range(1, largest.bit_length()) if 2**power < largest]
    for size in (*sizes, *([largest] if largest > 1 else [])):
        for step in sorted({1.0, size / 2, float(size)}):
            yield size, step


class Decomposition:
    """Ask/tell for one or more generations; ``soup_size`` is the largest soup tried."""

    def __init__(
        self,
        mutation: MutationConfig,
        sigma: float,
        seed: int,
        children: int,
        generations: int,
        soup_size: int,
    ) -> None:
        self._mutation, self._sigma, self._seed = mutation, sigma, seed
        self._children, self._generations = children, generations
        self._soup_size = soup_size
        self._generation = 0
        self._base = Ask("parent", Lineage(), 0, "parent")
        self._base_fitness = -math.inf
        self._ranked: list[tuple[float, Ask]] | None = None

    def ask(self) -> Round | None:
        if self._generation >= self._generations:
            return None
        asks = self._ask_children() if self._ranked is None else self._ask_soups()
        return Round(self._base.lineage, tuple(asks))

    def tell(self, fitness: Sequence[float]) -> None:
        asked = self.ask()
        if asked is None or len(asked.asks) != len(fitness):
            raise ValueError("tell takes one fitness for every candidate of the round asked last")
        pairs = list(zip(fitness, asked.asks, strict=True))
        if self._ranked is not None:
            self._finish_generation([self._ranked[0], *pairs])
            return
        if self._generation == 0:
            self._base_fitness = pairs.pop(0)[0]
        # sorted is stable: equal fitness keeps the order of children
        ranked = sorted((pair for pair in pairs if pair[0] > -math.inf), key=lambda pair: -pair[0])
        self._ranked = ranked[: self._soup_size]
        if len(self._ranked) < 2:
            self._finish_generation(self._ranked)

    @property
    def soup(self) -> Ask | None:
        return None if self._base.kind == "parent" else self._base

    def state_dict(self) -> dict[str, Any]:
        return {
            "generation": self._generation,
            "base": _pack(self._base),
            "base_fitness": None if math.isinf(self._base_fitness) else self._base_fitness,
            "ranked": self._ranked and [[fitness, _pack(ask)] for fitness, ask in self._ranked],
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._generation = state["generation"]
        self._base = _unpack(state["base"])
        self._base_fitness = -math.inf if state["base_fitness"] is None else state["base_fitness"]
        self._ranked = state["ranked"] and [(fitness, _unpack(ask)) for fitness, ask in state["ranked"]]

    def _ask_children(self) -> list[Ask]:
        generation = self._generation
        asks = [self._base] if generation == 0 else []
        for child in range(self._children):
            mutation = draw_mutation(self._mutation, self._sigma, self._seed, generation, child)
            lineage = self._base.lineage.child(mutation)
            asks.append(Ask(f"g{generation:04d}/c{child:04d}", lineage, generation, "child"))
        return asks

    def _ask_soups(self) -> list[Ask]:
        assert self._ranked is not None
        best = [ask.lineage for _, ask in self._ranked]
        return [
            Ask(
                f"g{self._generation:04d}/soup{size:02d}x{step:g}",
                soup(best[:size], self._base.lineage, step),
                self._generation,
                "soup",
            )
            for size, step in soup_plan(len(best))
        ]

    def _finish_generation(self, candidates: Sequence[tuple[float, Ask]]) -> None:
        for fitness, ask in candidates:
            if fitness > self._base_fitness:
                self._base, self._base_fitness = ask, fitness
        self._ranked = None
        self._generation += 1


def _pack(ask: Ask) -> dict[str, Any]:
    lineage = ask.lineage.to_json()
    return {"name": ask.name, "lineage": lineage, "generation": ask.generation, "kind": ask.kind}


def _unpack(state: dict[str, Any]) -> Ask:
    lineage = Lineage.from_json(state["lineage"])
    return Ask(state["name"], lineage, state["generation"], state["kind"])
