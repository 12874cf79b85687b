"""(μ/μ, λ) with recombination by soup (Beyer & Schwefel 2002; model soups, Wortsman et al. 2022).

The next base is the present one plus the best μ children's mutations, each with weight step / μ, times the length that
is found best along that step (``moving_centre``). step = 1 is the mean of the μ networks. Sparse children own different
weights, so that mean shrinks every mutation although nobody disagrees; ``auto`` averages each weight over those of
the μ that are expected to have changed it: with parts = K that is μ/K of them (at least one), so the weight of an entry
is min(1, K/μ); in a static or a dense subspace it is all of them, 1/μ.

A generation adds μ entries to the base, whose earlier entries stay as they are, so a worker extends the base it has:
O(μ n / K) a generation.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from evoray.config import MutationConfig, RunConfig, SearchConfig
from evoray.config.section import Auto
from evoray.mutation import Lineage, soup
from evoray.runtime.auto import given
from evoray.strategies.base import Ask, drawn_by, ranked
from evoray.strategies.moving_centre import MovingCentre


class MuLambdaSearch(SearchConfig):
    """A step to the soup of the best ``parents`` children, of the best of three lengths. ``children`` is λ."""

    strategy: Literal["mu-lambda"] = "mu-lambda"
    parents: Annotated[int, Field(ge=1)] | Auto = "auto"
    """μ; auto is a quarter of the children."""
    step: Annotated[float, Field(gt=0, allow_inf_nan=False)] | Auto = "auto"
    """Length of the first step: 1 is the mean of the networks; auto averages each weight over those of the best that
    changed it. A quarter, one and four times as much are tried, and later the like around what was best before."""

    @model_validator(mode="after")
    def _enough(self) -> Self:
        if (given(self.parents) or 0) > self.children:
            raise ValueError(f"parents = {self.parents} is more than children = {self.children}")
        return self

    def mu(self) -> int:
        """μ as a number."""
        return given(self.parents) or max(1, self.children // 4)


class MuLambda(MovingCentre):
    """``children`` is λ, ``parents`` is μ; ``step`` None is the automatic one."""

    Section = MuLambdaSearch

    def __init__(
        self,
        mutation: MutationConfig,
        sigma: float,
        seed: int,
        children: int,
        generations: int,
        parents: int,
        step: float | None = None,
    ) -> None:
        super().__init__(mutation, sigma, seed, children, generations)
        self._parents, self._step = parents, step

    @classmethod
    def from_config(cls, config: RunConfig, search: MuLambdaSearch) -> MuLambda:
        step = given(search.step)
        return cls(*drawn_by(config), search.children, search.generations, search.mu(), step)

    @property
    def elite(self) -> int:
        return self._parents

    def _move(self, pairs: Sequence[tuple[float, Ask]]) -> Lineage:
        best = [ask.lineage for _, ask in ranked(pairs)[: self._parents]]
        if not best:
            return self._centre.lineage
        step = self._step
        if step is None:
            step = self._mutation.independent([lineage.entries[-1].mutation for lineage in best])
        return soup(best, self._centre.lineage, step)
