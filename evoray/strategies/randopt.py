"""RandOpt, the baseline: N dense random perturbations of the parent, of which the best vote (Gan & Isola 2026).

One round, and no network to go on from: what it gives is the ensemble of the best children.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal, Self

from pydantic import model_validator

from evoray.config import MutationConfig, RunConfig, SearchConfig
from evoray.mutation import Lineage
from evoray.strategies.base import Ask, Replayed, Round, drawn_by
from evoray.strategies.sampling import draw_children


class RandOptSearch(SearchConfig):
    """A baseline: one round of dense perturbations, the best of which form the ensemble. ``children`` is N."""

    strategy: Literal["randopt"] = "randopt"

    @model_validator(mode="after")
    def _once(self) -> Self:
        if self.generations != 1:
            raise ValueError(f"generations = {self.generations}: randopt draws once, around the parent; leave it at 1")
        return self


class RandOpt(Replayed):
    """``children`` is N."""

    Section = RandOptSearch
    mutation_defaults: ClassVar = {"parts": 1, "blocks": 1}
    elite = 0
    soup = None

    def __init__(self, mutation: MutationConfig, sigma: float, seed: int, children: int) -> None:
        super().__init__()
        self._mutation, self._sigma, self._seed, self._children = mutation, sigma, seed, children
        self._done = False

    @classmethod
    def check(cls, config: RunConfig) -> None:
        if config.mutation.disjoint != 1:
            given = config.mutation.model_dump(include=set(cls.mutation_defaults))
            keys = ", ".join(f"mutation.{name} = {value}" for name, value in given.items() if value != 1)
            raise ValueError(f"{keys or 'mutation'}: randopt is dense, leave it out or set 1")

    @classmethod
    def from_config(cls, config: RunConfig, search: RandOptSearch) -> RandOpt:
        return cls(*drawn_by(config), search.children)

    def ask(self) -> Round | None:
        if self._done:
            return None
        parent = Ask("parent", Lineage(), 0, "parent", own=0)
        children = draw_children(self._mutation, self._sigma, self._seed, 0, self._children, parent.lineage)
        return Round(parent.lineage, (parent, *children))

    def _tell(self, pairs: Sequence[tuple[float, Ask]]) -> None:
        self._done = True
