"""(μ/μ, λ) with recombination by soup (Beyer & Schwefel 2002; model soups, Wortsman et al. 2022).

The next base is the present one plus the best μ children's mutations, each with weight step / μ. step = 1 is the mean
of the μ networks. Sparse children own different weights, so that mean shrinks every mutation although nobody disagrees;
``auto`` averages each weight over those of the μ that are expected to have changed it: with parts = K that is μ/K of
them (at least one), so the weight of an entry is min(1, K/μ); in a static or a dense subspace it is all of them, 1/μ.

A generation adds μ entries to the base, whose earlier entries stay as they are, so a worker extends the base it has:
O(μ n / K) a generation.
"""

from __future__ import annotations

from collections.abc import Sequence

from evoray.config import MutationConfig
from evoray.mutation import Lineage, soup
from evoray.strategies.base import Ask, ranked
from evoray.strategies.moving_centre import MovingCentre


class MuLambda(MovingCentre):
    """``children`` is λ, ``parents`` is μ; ``step`` None is the automatic one."""

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

    @property
    def elite(self) -> int:
        return self._parents

    def _move(self, pairs: Sequence[tuple[float, Ask]]) -> Lineage:
        best = [ask.lineage for _, ask in ranked(pairs)[: self._parents]]
        if not best:
            return self._centre.lineage
        step = self._step
        if step is None:
            step = 1.0 if self._mutation.subspace == "static" else float(min(len(best), self._mutation.parts))
        return soup(best, self._centre.lineage, step)
