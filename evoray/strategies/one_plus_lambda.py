"""(1+λ): λ children of one base; the best of them replaces it where it is better (Beyer & Schwefel 2002).

A generation adds at most one entry to the base's lineage. It is the decomposition without soups.
"""

from __future__ import annotations

from typing import Any, Literal

from evoray.config import MutationConfig, RunConfig, SearchConfig
from evoray.strategies.base import drawn_by
from evoray.strategies.decomposition import Decomposition


class OnePlusLambdaSearch(SearchConfig):
    """The best child replaces its parent, if better. ``children`` is λ."""

    strategy: Literal["one-plus-lambda"] = "one-plus-lambda"


class OnePlusLambda(Decomposition):
    """``children`` is λ; the first round also evaluates the parent."""

    Section = OnePlusLambdaSearch

    def __init__(self, mutation: MutationConfig, sigma: float, seed: int, children: int, generations: int) -> None:
        super().__init__(mutation, sigma, seed, children, generations, soup_size=1)

    @classmethod
    def from_config(cls, config: RunConfig, search: Any) -> OnePlusLambda:
        return cls(*drawn_by(config), search.children, search.generations)
