"""The kind ``towards`` (format 3): the whole space moves along the differences of other checkpoints and the parent.

A child is parent + c_1 (other_1 - parent) + … + c_K (other_K - parent), as model soups and task arithmetic add weights
(Wortsman et al. 2022; Ilharco et al. 2023). A recipe holds the coefficients; the space names the checkpoints by digest.

Format 3: ``space.json`` has one more key, ``"towards"``: of each checkpoint the digest (``tensors_sha256``) of the
space's tensors, by their names and in the parent's types. With the flat vectors p of the parent and o_k of the k-th,
``delta_j`` is the sum from k = 1 on, beginning at 0, of float32(float32(c_k) * float32(o_k[j] - p[j])), rounded to
float32 after each addition; a coefficient of 0 is left out. What is added to the parent is as in format 1.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

import numpy as np
from pydantic import AfterValidator, Field, field_validator

from evoray.config.mutation import MutationConfig
from evoray.errors import LineageError
from evoray.mutation.partition import U64
from evoray.mutation.recipe import Recipe
from evoray.mutation.streams import NOISE, words16
from evoray.mutation.table import FLOAT32_MAX, normal
from evoray.runtime.reading import quoted
from evoray.runtime.seeds import Stream, derive_seed

if TYPE_CHECKING:
    from evoray.config.schema import RunConfig
    from evoray.mutation.space import Space

MOST = 64
"""Checkpoints: the flat difference of each is held in memory."""


def _finite(coefficient: float) -> float:
    if not abs(coefficient) <= FLOAT32_MAX:
        raise ValueError("a coefficient is a finite float32, such as 0.3")
    return coefficient


Coefficient = Annotated[float, Field(strict=True), AfterValidator(_finite)]


class TowardsConfig(MutationConfig):
    """``towards``: checkpoints of the parent's architecture; sigma is the spread of their coefficients."""

    kind: Literal["towards"] = "towards"
    towards: Annotated[tuple[str, ...], Field(min_length=1, max_length=MOST)]
    """Checkpoints of the parent's architecture, to whose weights children move."""
    scale: Literal["rms"] = "rms"
    """Nothing: a coefficient has no unit."""

    @field_validator("towards")
    @classmethod
    def _named(cls, towards: tuple[str, ...]) -> tuple[str, ...]:
        if not all(name.strip() for name in towards):
            raise ValueError("an empty name of a checkpoint; name a file")
        return towards

    @property
    def checkpoints(self) -> tuple[str, ...]:
        return self.towards

    @property
    def disjoint(self) -> int:
        return 1


class Towards(Recipe):
    """The coefficient of each of the space's checkpoints (``Space.others``), drawn from ``noise_seed``."""

    Section = TowardsConfig
    FORMAT: ClassVar[int] = 3
    columns: ClassVar = {"noise_seed": "uint64", "coefficients": "string"}

    kind: Literal["towards"] = "towards"
    noise_seed: U64
    coefficients: Annotated[tuple[Coefficient, ...], Field(min_length=1, max_length=MOST)]

    @classmethod
    def check(cls, config: RunConfig) -> None:
        mutation, dimensions = config.mutation, getattr(config.search, "dimensions", None)
        count = len(mutation.checkpoints)
        if dimensions is None and mutation.subspace == "static" and ":" not in config.search.strategy:
            raise ValueError(
                'mutation.subspace = "static": children of kind towards change all weights in any case; leave it out'
            )
        if dimensions is not None and count < 2:
            raise ValueError(
                f"mutation.towards names one checkpoint: {config.search.strategy} needs two or more. Take "
                'search.strategy = "one-plus-lambda"'
            )
        if dimensions is not None and dimensions != count:
            raise ValueError(
                f"search.dimensions = {dimensions}: the {count} checkpoints of mutation.towards are {count} "
                f"directions; set it to {count}"
            )

    @classmethod
    def draw(cls, config: TowardsConfig, sigma: float, seed: int, generation: int, child: int) -> Self:
        """Gaussian coefficients times sigma. With ``antithetic``, children 2i and 2i + 1 differ in sign.

        In a static subspace, which a strategy spans by children 0, 1, … of one generation, child i is checkpoint i mod
        K alone, at sigma times the root of K: what mixes K of them by N(0, 1) / sqrt(K) has coefficients of sigma.
        """
        index, count = child // 2 if config.antithetic else child, len(config.towards)
        noise_seed = derive_seed(seed, Stream.NOISE, generation, index)
        if config.subspace == "static":
            drawn = np.zeros(count, dtype=np.float32)
            drawn[index % count] = math.sqrt(count)
        else:
            drawn = normal(words16(noise_seed, NOISE, count))
        drawn = np.float32(-sigma if config.antithetic and child % 2 else sigma) * drawn
        return cls(noise_seed=noise_seed, coefficients=tuple(float(str(one)) for one in drawn))

    def at_most(self, space: Space) -> int:
        return space.n

    def delta(self, space: Space, start: int, stop: int) -> tuple[np.ndarray, np.ndarray]:
        """Product by product in float32, in the order of the checkpoints; one whose coefficient is 0 is left out."""
        differences = space.towards
        if len(differences) != len(self.coefficients):
            raise LineageError(
                f"a mutation of kind towards has {len(self.coefficients)} coefficients, and its space "
                f"{len(differences)} checkpoints. Use the space.json that the run wrote."
            )
        values = np.zeros(stop - start, dtype=np.float32)
        for coefficient, difference in zip(self.coefficients, differences, strict=True):
            if coefficient:
                values += np.float32(coefficient) * difference[start:stop]
        return np.arange(start, stop, dtype=np.int64), values

    def row(self) -> dict[str, Any]:
        return {"noise_seed": self.noise_seed, "coefficients": json.dumps(self.coefficients)}

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Self:
        try:
            coefficients = json.loads(row["coefficients"])
        except (TypeError, ValueError):
            raise LineageError(f"coefficients: {quoted(row['coefficients'], 60)} is no list of numbers.") from None
        return cls(noise_seed=row["noise_seed"], coefficients=coefficients)

    def __reduce__(self) -> tuple[Any, ...]:
        return _made, (self.noise_seed, self.coefficients)


def _made(noise_seed: int, coefficients: tuple[float, ...]) -> Towards:
    return Towards.model_construct(kind="towards", noise_seed=noise_seed, coefficients=coefficients)
