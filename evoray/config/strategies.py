"""``[search]``: what each strategy can be told. A new strategy is a variant here and a file in ``strategies/``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, model_validator

Auto = Literal["auto"]


class Section(BaseModel):
    """A table of the file: unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class _Search(Section):
    """What every strategy has: how many children, and whether hopeless ones are judged to the end."""

    children: Annotated[int, Field(ge=1)] = 40
    generations: Annotated[int, Field(ge=1)] = 1
    racing: bool = False
    """Judge children piece by piece against their base, and drop those that cannot be among the best."""
    confidence: Annotated[float, Field(ge=0.5, lt=1)] = 0.99
    """Share of the best children that racing keeps, in expectation."""
    budget_images: Annotated[int, Field(ge=1)] | None = None
    """Images (one child on one image is one) that all children of the run may cost, whatever it risks."""

    @model_validator(mode="after")
    def _budget_needs_racing(self) -> Self:
        if self.budget_images is not None and not self.racing:
            raise ValueError(f"budget_images = {self.budget_images}: a budget is kept by racing, set racing = true")
        return self


class DecompositionSearch(_Search):
    """The paper's: children of disjoint masks, then soups of the best."""

    strategy: Literal["decomposition"] = "decomposition"


class OnePlusLambdaSearch(_Search):
    """(1+λ): the best child replaces its parent, if it is better."""

    strategy: Literal["one-plus-lambda"] = "one-plus-lambda"


class MuLambdaSearch(_Search):
    """(μ/μ, λ): the soup of the best ``parents`` children is the next generation's base."""

    strategy: Literal["mu-lambda"] = "mu-lambda"
    parents: Annotated[int, Field(ge=1)] | Auto = "auto"
    """μ; auto is a quarter of the children."""
    step: Annotated[float, Field(gt=0, allow_inf_nan=False)] | Auto = "auto"
    """1 is the mean of the networks; auto averages each weight over those of the best that changed it."""

    @model_validator(mode="after")
    def _enough(self) -> Self:
        if self.parents != "auto" and self.parents > self.children:
            raise ValueError(f"parents = {self.parents} is more than children = {self.children}")
        return self


class EvolutionStrategySearch(_Search):
    """A step along the rank-weighted sum of all mutations (Salimans et al. 2017)."""

    strategy: Literal["evolution-strategy"] = "evolution-strategy"
    optimizer: Literal["momentum", "adam"] = "momentum"
    learning_rate: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 0.5
    """Length of a step in units of sigma: root mean square over the weights it changes."""
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.5

    @model_validator(mode="after")
    def _enough(self) -> Self:
        if self.children < 2:
            raise ValueError("children = 1: a step needs at least two to compare")
        return self


class CmaEsSearch(_Search):
    """CMA-ES over the weights of a few fixed mutations in one static subspace."""

    strategy: Literal["cma-es"] = "cma-es"
    dimensions: Annotated[int, Field(ge=2, le=1000)] = 16

    @model_validator(mode="after")
    def _enough(self) -> Self:
        if self.children < 4:
            raise ValueError(f"children = {self.children}: CMA-ES needs at least 4 a generation")
        return self


class RandOptSearch(_Search):
    """RandOpt: dense random perturbations of the parent, the best of which vote."""

    strategy: Literal["randopt"] = "randopt"

    @model_validator(mode="after")
    def _once(self) -> Self:
        if self.generations != 1:
            raise ValueError(f"generations = {self.generations}: randopt draws once, around the parent; leave it at 1")
        return self


STRATEGIES = ("decomposition", "one-plus-lambda", "mu-lambda", "evolution-strategy", "cma-es", "randopt")


def strategy_of(value: Any) -> Any:
    if isinstance(value, dict):
        return value.get("strategy", "decomposition")
    return getattr(value, "strategy", "decomposition")


SearchConfig = Annotated[
    Annotated[DecompositionSearch, Tag("decomposition")]
    | Annotated[OnePlusLambdaSearch, Tag("one-plus-lambda")]
    | Annotated[MuLambdaSearch, Tag("mu-lambda")]
    | Annotated[EvolutionStrategySearch, Tag("evolution-strategy")]
    | Annotated[CmaEsSearch, Tag("cma-es")]
    | Annotated[RandOptSearch, Tag("randopt")],
    Discriminator(
        strategy_of,
        custom_error_type="strategy",
        custom_error_message="strategy is none of " + ", ".join(STRATEGIES),
    ),
]

MUTATION_OF: Mapping[str, Mapping[str, Any]] = {
    "evolution-strategy": {"antithetic": True},
    "cma-es": {"subspace": "static"},
    "randopt": {"parts": 1},
}
"""Mutation keys that a strategy sets where the file leaves them out."""
