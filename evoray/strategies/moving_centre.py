"""What strategies share whose base moves every generation, better or not: (μ/μ, λ), the evolution strategy, CMA-ES.

A round evaluates the centre that the generation before moved to, together with this generation's children; one more
round evaluates the last centre. The answer is the best centre seen on ``select``, the parent among them.

A step whose end breaks a guard is halved up to three times, and not made where that is not enough.
"""

import math
from collections.abc import Sequence
from dataclasses import replace

from evoray.config import MutationConfig
from evoray.mutation import Entry, Lineage
from evoray.strategies.base import Ask, Replayed, Round
from evoray.strategies.sampling import draw_children

HALVINGS = 3
"""Of a step whose end breaks a guard; after them it is not made at all."""


class MovingCentre(Replayed):
    """A subclass gives ``_move`` (the next centre), and ``_draw`` where children are not mutations of the centre."""

    def __init__(self, mutation: MutationConfig, sigma: float, seed: int, children: int, generations: int) -> None:
        super().__init__()
        self._mutation, self._sigma, self._seed = mutation, sigma, seed
        self._children, self._generations = children, generations
        self._generation = 0
        self._centre = Ask("parent", Lineage(), 0, "parent", own=0)
        self._best, self._best_fitness = self._centre, -math.inf
        self._before = self._centre
        """The centre before the last step."""
        self._halved = 0

    @property
    def winners(self) -> int:
        """None: the step that children make is judged, and not the children."""
        return 0

    @property
    def centre(self) -> Ask:
        return self._centre

    def halve(self) -> None:
        """Half of the last step, a quarter, an eighth, then none of it: the centre stays where it was."""
        self.remember_halving()
        self._halved += 1
        if self._halved > HALVINGS:
            self._shorten(0.0)
            self._centre = self._before
            return
        moved = self._shorten(0.5**self._halved)
        self._centre = replace(self._centre, lineage=moved, own=len(moved.entries))

    @property
    def soup(self) -> Ask | None:
        return None if self._best.kind == "parent" else self._best

    def ask(self) -> Round | None:
        if self._generation > self._generations:
            return None
        children = self._draw() if self._generation < self._generations else []
        return Round(self._base, (self._centre, *children))

    @property
    def _base(self) -> Lineage:
        """What children and centre both start with."""
        return self._centre.lineage

    def _draw(self) -> list[Ask]:
        """The children of this generation."""
        drawn = self._mutation, self._sigma, self._seed, self._generation, self._children
        return draw_children(*drawn, self._centre.lineage, self.credits)

    def _move(self, pairs: Sequence[tuple[float, Ask]]) -> Lineage:
        """The next centre, from all children and their fitness in the order drawn (some may have failed)."""
        raise NotImplementedError

    def _shorten(self, share: float) -> Lineage:
        """The centre after a share of the last whole step; what the next steps go on from is set to it."""
        base, moved = self._before.lineage, self._moved
        return base.then(Entry(share * entry.weight, entry.mutation) for entry in moved.tail(base))

    def _tell(self, pairs: Sequence[tuple[float, Ask]]) -> None:
        fitness, children = pairs[0][0], pairs[1:]
        if self._generation == 0 or fitness > self._best_fitness:
            self._best, self._best_fitness = self._centre, fitness
        if children:
            self.learn(self._mutation, fitness, children)
            moved = self._move(children)
            self._before, self._moved, self._halved = self._centre, moved, 0
            name = f"g{self._generation:04d}/step"
            self._centre = Ask(name, moved, self._generation, "soup", own=len(moved.entries))
        self._generation += 1
