"""Which mutation a child is, addressed by (seed, generation, child): dynamic and static subspaces, antithetic pairs."""

from __future__ import annotations

from evoray.config import MutationConfig
from evoray.mutation import Lineage, Mutation, derive_seed
from evoray.strategies.base import Ask, child_name

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


def draw_children(
    config: MutationConfig, sigma: float, seed: int, generation: int, count: int, base: Lineage
) -> list[Ask]:
    """A generation's children of one base, each with one mutation of its own."""
    return [
        Ask(
            child_name(generation, child),
            base.child(draw_mutation(config, sigma, seed, generation, child)),
            generation,
            "child",
        )
        for child in range(count)
    ]
