"""Which mutation a child is: drawn by its kind, at the address (seed, generation, child)."""

from collections.abc import Sequence
from typing import Any

from evoray.config import MutationConfig
from evoray.mutation import Lineage, Recipe
from evoray.mutation.registry import KINDS
from evoray.strategies.base import Ask, child_name


def draw_mutation(config: MutationConfig, sigma: float, seed: int, generation: int, child: int) -> Recipe:
    """The recipe of one child, a function of its arguments and of nothing else."""
    return KINDS.of(config).draw(config, sigma, seed, generation, child)


def draw_children(
    config: MutationConfig,
    sigma: float,
    seed: int,
    generation: int,
    count: int,
    base: Lineage,
    credits: Sequence[Any] = (),
) -> list[Ask]:
    """A generation's children of one base, each with one mutation of its own.

    credits: ``Replayed.credits``, for kinds that learn which weights are worth a child.
    """
    drawn = KINDS.of(config).draw_all(config, sigma, seed, generation, count, credits)
    return [
        Ask(child_name(generation, child), base.child(mutation), generation, "child")
        for child, mutation in enumerate(drawn)
    ]
