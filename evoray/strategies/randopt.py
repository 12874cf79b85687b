"""RandOpt, the baseline: N dense random perturbations of the parent, of which the best vote (Gan & Isola 2026).

One round, and no network to go on from: what it gives is the ensemble of the best children.
"""

from __future__ import annotations

from collections.abc import Sequence

from evoray.config import MutationConfig
from evoray.mutation import Lineage
from evoray.strategies.base import Ask, Replayed, Round
from evoray.strategies.sampling import draw_children


class RandOpt(Replayed):
    """``children`` is N."""

    elite = 0
    soup = None

    def __init__(self, mutation: MutationConfig, sigma: float, seed: int, children: int) -> None:
        super().__init__()
        self._mutation, self._sigma, self._seed, self._children = mutation, sigma, seed, children
        self._done = False

    def ask(self) -> Round | None:
        if self._done:
            return None
        parent = Ask("parent", Lineage(), 0, "parent", own=0)
        children = draw_children(self._mutation, self._sigma, self._seed, 0, self._children, parent.lineage)
        return Round(parent.lineage, (parent, *children))

    def _tell(self, pairs: Sequence[tuple[float, Ask]]) -> None:
        self._done = True
