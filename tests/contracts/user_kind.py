"""A kind of mutation as a user writes one: a file beside the configuration, named ``user_kind:Stretch`` in it."""

from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from evoray.config import MutationConfig
from evoray.mutation import Recipe, words16
from evoray.mutation.streams import NOISE
from evoray.mutation.table import normal
from evoray.runtime.seeds import Stream, derive_seed


class StretchConfig(MutationConfig):
    kind: Literal["user_kind:Stretch"] = "user_kind:Stretch"
    stretches: Annotated[int, Field(ge=1)] = 4

    @property
    def disjoint(self):
        return self.stretches


class Stretch(Recipe):
    """All weights of one of so many equal stretches of the network."""

    Section = StretchConfig
    columns = {"stretch": "int64", "stretches": "int64", "seed": "uint64", "strength": "float64"}  # noqa: RUF012

    kind: Literal["user_kind:Stretch"] = "user_kind:Stretch"
    stretch: int
    stretches: int
    seed: int
    strength: float

    @classmethod
    def draw(cls, config, sigma, seed, generation, child):
        index = child // 2 if config.antithetic else child
        return cls(
            stretch=0 if config.subspace == "static" else index % config.stretches,
            stretches=config.stretches,
            seed=derive_seed(seed, Stream.NOISE, generation, index),
            strength=-sigma if config.antithetic and child % 2 else sigma,
        )

    def at_most(self, space):
        return -(-space.n // self.stretches)

    def delta(self, space, start, stop):
        first, last = (space.n * edge // self.stretches for edge in (self.stretch, self.stretch + 1))
        indices = np.arange(max(start, first), max(min(stop, last), start, first), dtype=np.int64)
        values = normal(words16(self.seed, NOISE, len(indices), start=max(start - first, 0)))
        return indices, values * space.per_coordinate(np.float32(self.strength) * space.scales, indices)
