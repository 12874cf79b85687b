"""The kind ``partition`` (format 1): one coordinate of every stratum of K neighbours, K disjoint masks a seed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

import numpy as np
from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from evoray.config.mutation import MutationConfig
from evoray.errors import ConfigError, LineageError
from evoray.mutation.integers import round_steps_
from evoray.mutation.masks import mask_count, mask_indices, strata_of
from evoray.mutation.recipe import Recipe
from evoray.mutation.streams import NOISE, ROUNDING, words16
from evoray.mutation.table import FLOAT32_MAX, normal
from evoray.runtime.seeds import Stream, derive_seed

if TYPE_CHECKING:
    from evoray.mutation.space import Space

SMALLEST = float(np.finfo(np.float32).smallest_subnormal)
U64 = Annotated[int, Field(ge=0, lt=2**64, strict=True)]


def _whole(value: Any) -> Any:
    # to Python True and 1.0 are 1; in JSON they would not come out as they went in
    if type(value) is not int:
        raise ValueError("sign is the whole number 1 or -1")
    return value


def _positive(sigma: float) -> float:
    if not SMALLEST <= sigma <= FLOAT32_MAX:
        raise ValueError("sigma is a positive, finite float32, such as 0.1")
    return sigma


Sigma = Annotated[float, Field(strict=True), AfterValidator(_positive)]
Sign = Annotated[Literal[1, -1], BeforeValidator(_whole)]


class PartitionConfig(MutationConfig):
    """``parts``: the paper's K; a mutation changes one weight in K."""

    kind: Literal["partition"] = "partition"
    parts: Annotated[int, Field(ge=1, le=2**31)] = 10
    """K: a child changes one weight in so many; 1 is the dense mutation."""

    @property
    def disjoint(self) -> int:
        return self.parts

    def with_disjoint(self, disjoint: int) -> Self:
        return self.model_copy(update={"parts": disjoint})

    def check_weights(self, n: int) -> None:
        if self.parts > n:
            raise ConfigError(
                f"mutation.parts = {self.parts} is more than the {n} weights that may be mutated: "
                "some children would equal their parent. Lower parts, or include more tensors."
            )


class Partition(Recipe):
    """One sparse mutation (format 1, kind ``partition``): part ``part`` of ``parts`` disjoint ones.

    sigma is in units of each tensor's scale; sign makes the antithetic twin. A value that format 1 does not
    know raises LineageError.
    """

    Section = PartitionConfig
    columns: ClassVar = {
        "mask_seed": "uint64",
        "parts": "int64",
        "part": "int64",
        "noise_seed": "uint64",
        "sigma": "float64",
        "sign": "int8",
    }

    kind: Literal["partition"] = "partition"
    mask_seed: U64
    parts: Annotated[int, Field(ge=1, le=2**32, strict=True)]
    part: Annotated[int, Field(ge=0, strict=True)]
    noise_seed: U64
    sigma: Sigma
    sign: Sign = 1

    @model_validator(mode="after")
    def _part_of_parts(self) -> Self:
        if self.part >= self.parts:
            raise LineageError(f"not a mutation of format 1: part = {self.part} is not below parts = {self.parts}.")
        return self

    @classmethod
    def draw(cls, config: PartitionConfig, sigma: float, seed: int, generation: int, child: int) -> Self:
        """Child ``child`` of a generation; ``parts`` children in turn share a mask seed and are disjoint.

        With ``antithetic``, children 2i and 2i + 1 share mask and noise and differ in sign. With a static subspace
        every child of the run mutates part 0 of one mask.
        """
        index = child // 2 if config.antithetic else child
        group, part = divmod(index, config.parts)
        address = (generation, group)
        if config.subspace == "static":
            address, part = (0, 0), 0
        return cls(
            mask_seed=derive_seed(seed, Stream.MASKS, *address),
            parts=config.parts,
            part=part,
            noise_seed=derive_seed(seed, Stream.NOISE, generation, index),
            sigma=sigma,
            sign=-1 if config.antithetic and child % 2 else 1,
        )

    def at_most(self, space: Space) -> int:
        return strata_of(space.n, self.parts)

    def delta(self, space: Space, start: int, stop: int) -> tuple[np.ndarray, np.ndarray]:
        first = start // self.parts
        count = strata_of(stop, self.parts) - first
        indices, values = self.indices(space.n, first, count), self.noise(space.n, first, count)
        amplitude = np.float32(self.sign) * (np.float32(self.sigma) * space.scales)
        values *= space.per_coordinate(amplitude, indices)
        if space.has_integers:
            round_steps_(values, space.per_coordinate(space.whole, indices), self.rounding(space.n, first, count))
        inside = slice(*np.searchsorted(indices, (start, stop)))
        return indices[inside], values[inside]

    def width(self, space: Space, weights: int) -> int:
        return weights * self.parts

    def indices(self, n: int, first: int = 0, count: int | None = None) -> np.ndarray:
        """int64 [m], sorted: the coordinates of a flat vector of n that this mutation changes.

        With ``first`` or ``count``: those of ``count`` strata from ``first`` on, the same as in the whole.
        """
        return mask_indices(n, self.mask_seed, self.parts, self.part, first, count)

    def noise(self, n: int, first: int = 0, count: int | None = None) -> np.ndarray:
        """float32 [m]: one standard normal value for each of ``indices`` of the same strata."""
        return normal(self._words(NOISE, n, first, count))

    def rounding(self, n: int, first: int = 0, count: int | None = None) -> np.ndarray:
        """uint16 [m]: by which the steps of integer weights are rounded, of the same strata."""
        return self._words(ROUNDING, n, first, count)

    def _words(self, stream: int, n: int, first: int, count: int | None) -> np.ndarray:
        left = self.count(n) - first
        return words16(self.noise_seed, stream, left if count is None else min(count, left), start=first)

    def count(self, n: int) -> int:
        """m, without drawing the mask."""
        return mask_count(n, self.mask_seed, self.parts, self.part)

    def __reduce__(self) -> tuple[Any, ...]:
        # a recipe travels once for each unit it is part of: 60 bytes in place of the field names
        return _build, (self.mask_seed, self.parts, self.part, self.noise_seed, self.sigma, self.sign)


def _build(mask_seed: int, parts: int, part: int, noise_seed: int, sigma: float, sign: int) -> Partition:
    return Partition.model_construct(
        kind="partition", mask_seed=mask_seed, parts=parts, part=part, noise_seed=noise_seed, sigma=sigma, sign=sign
    )


Mutation = Partition
"""The same, as users of the library know it."""
