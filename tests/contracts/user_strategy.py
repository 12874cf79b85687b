"""A strategy as a user writes one: a file beside the configuration, named ``user_strategy:Hill`` in it."""

import math
from typing import Annotated, Literal

from pydantic import Field

from evoray.config import SearchConfig
from evoray.mutation import Lineage
from evoray.strategies import Ask, Replayed, Round, draw_children


class HillSearch(SearchConfig):
    margin: Annotated[float, Field(ge=0)] = 0.0
    order: Literal["first", "last"] = "last"


class Hill(Replayed):
    """Moves to the first or the last child that is better by a margin."""

    Section = HillSearch
    elite = 1

    def __init__(self, config, search):
        super().__init__()
        self._config, self._search = config, search
        self._generation = 0
        self._base, self._height = Ask("parent", Lineage(), 0, "parent", own=0), -math.inf

    @classmethod
    def from_config(cls, config, search):
        return cls(config, search)

    @property
    def soup(self):
        return None if self._base.kind == "parent" else self._base

    def ask(self):
        if self._generation >= self._search.generations:
            return None
        mutation, base = self._config.mutation, self._base.lineage
        children = draw_children(
            mutation, mutation.sigma, self._config.seed, self._generation, self._search.children, base
        )
        return Round(base, (self._base, *children) if self._generation == 0 else tuple(children))

    def _tell(self, pairs):
        if self._generation == 0:
            self._height, pairs = pairs[0][0], pairs[1:]
        better = [pair for pair in pairs if pair[0] > self._height + self._search.margin]
        if better:
            self._height, self._base = better[0 if self._search.order == "first" else -1]
        self._generation += 1
