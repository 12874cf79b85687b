"""``[search]``: what every strategy can be told; keys of its own stand in each strategy's file."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from evoray.config.section import Auto, Members, Section
from evoray.runtime.limits import BUDGET, CHILDREN, EVALUATIONS, GENERATIONS


class SearchConfig(Section):
    """How many children, which of them the search tells apart, and whether hopeless ones are evaluated to the end."""

    strategy: str = "decomposition"
    """A name of ``evoray.strategies.registry``, or a user's ``package.module:Class``."""
    children: Annotated[int, Field(ge=1, le=CHILDREN)] = 40
    """A generation's."""
    generations: Annotated[int, Field(ge=1, le=GENERATIONS)] = 1
    """Rounds; each begins from what the strategy made of the one before."""
    elite: Members | Auto = "auto"
    """How many of a generation's best children the search tells apart; auto is ``ensemble.size``."""
    racing: bool = False
    """Evaluate children subset by subset against their base, and drop those that cannot be among the best."""
    confidence: Annotated[float, Field(ge=0.5, lt=1)] = 0.99
    """Share of the best children that racing keeps, in expectation."""
    budget_images: Annotated[int, Field(ge=1, le=BUDGET)] | None = None
    """Images (one child on one image is one) that all children of the run may cost, whatever it risks."""

    @model_validator(mode="after")
    def _at_most(self) -> Self:
        if self.children * self.generations > EVALUATIONS:
            raise ValueError(
                f"children = {self.children} in each of generations = {self.generations}: a run has at most "
                f"{EVALUATIONS:,} children in all"
            )
        return self

    @model_validator(mode="after")
    def _budget_needs_racing(self) -> Self:
        if self.budget_images is not None and not self.racing:
            raise ValueError(f"budget_images = {self.budget_images}: a budget is kept by racing, set racing = true")
        return self
