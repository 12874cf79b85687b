"""An evolution-strategy step: the rank-weighted sum of all mutations (Salimans et al. 2017, arXiv 1703.03864).

Generation s gives the sparse estimate g_s = sum_e c_s,e * delta_s,e: c is a child's centred rank, or for an antithetic
pair, which is one entry, the difference of the two ranks. With m_t = beta m_(t-1) + (1 - beta) g_t the centre moves by
``rate_t * m_t / ((1 - beta^t) N_t)``, in units of sigma: N is what a step of length one would be divided by, and rate_t
is ``learning_rate`` times the length that was found best along the step (``moving_centre``), 0 where none was better.

- ``momentum``: N is the root mean square of an estimate from ranks without meaning, a constant; agreement among
  children makes longer steps.
- ``adam``: N_t is the running root mean square of the estimates that came (decay 0.9, bias-corrected; Kingma & Ba
  2015), one second moment for the whole subspace, as a step has to stay a weighted sum of mutations: Adam's division
  weight by weight is no recipe.

The sum over generations has a closed form: entry (s, e) has the weight c_s,e * A_s with
A_s = sum_(t >= s) rate_t (1 - beta) beta^(t - s). So momentum adds no entries: a generation adds at most
``children`` of them (half with antithetic pairs), and T generations have a base of T * children entries, 60 bytes
each. Without momentum earlier weights stay, and a worker extends its base: children * n / K additions a generation.
With momentum the last weights change, and each worker builds its base anew, T * children * n / K additions once a
generation. Evaluating them takes at least children * images * n multiplications, so the rebuild is at most
T * workers / (K * images) of the work: 1% at a hundred generations, K = 10, 4,000 images and 4 workers.
Weights are settled once beta^(t - s) < 1e-6.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated, ClassVar, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from evoray.config import MutationConfig, RunConfig, SearchConfig
from evoray.mutation import Entry, Lineage
from evoray.strategies.base import Ask, drawn_by, refuse_racing
from evoray.strategies.moving_centre import MovingCentre, centred_ranks

SECOND_MOMENT = 0.9
"""Decay of Adam's second moment; shorter than for gradient descent, as runs have tens of steps, not thousands."""
SETTLED = 1e-6


class EvolutionStrategySearch(SearchConfig):
    """A step along the rank-weighted sum of all mutations, of the best of three lengths."""

    strategy: Literal["evolution-strategy"] = "evolution-strategy"
    optimizer: Literal["momentum", "adam"] = "momentum"
    """How a step is made of the weighted sum of mutations."""
    learning_rate: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 0.5
    """Length of the first step in units of sigma: root mean square over the weights it changes. A quarter, one and four
    times as much are tried, and later the like around what was best before."""
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.5
    """What is kept of the step before."""

    @model_validator(mode="after")
    def _enough(self) -> Self:
        if self.children < 2:
            raise ValueError("children = 1: a step needs at least two to compare")
        return self


class EvolutionStrategy(MovingCentre):
    """See the module's docstring for ``learning_rate`` and ``momentum`` (beta)."""

    Section = EvolutionStrategySearch
    mutation_defaults: ClassVar = {"antithetic": True}

    def __init__(
        self,
        mutation: MutationConfig,
        sigma: float,
        seed: int,
        children: int,
        generations: int,
        learning_rate: float,
        momentum: float,
        adaptive: bool,
    ) -> None:
        super().__init__(mutation, sigma, seed, children, generations)
        self._rate, self._beta, self._adaptive = learning_rate, momentum, adaptive
        self._estimates: list[tuple[Entry, ...]] = []
        """Of each generation: its entries with weight c."""
        self._sums: list[float] = []
        """A_s of each; below, after a step of length 1."""
        self._sums_moved: list[float] = []
        self._second = 0.0

    @classmethod
    def check(cls, config: RunConfig) -> None:
        refuse_racing(config)

    @classmethod
    def from_config(cls, config: RunConfig, search: EvolutionStrategySearch) -> EvolutionStrategy:
        steps = (search.learning_rate, search.momentum, search.optimizer == "adam")
        return cls(*drawn_by(config), search.children, search.generations, *steps)

    @property
    def elite(self) -> int:
        return self._children

    def _move(self, pairs: Sequence[tuple[float, Ask]]) -> Lineage:
        entries = estimate(pairs, self._mutation.antithetic)
        self._estimates.append(entries)
        self._sums.append(0.0)
        self._sums_moved = list(self._sums)
        own = [ask.lineage.entries[-1].mutation for _, ask in pairs][:: 2 if self._mutation.antithetic else 1]
        length = self._length(np.array([entry.weight for entry in entries]), len(own) / self._mutation.independent(own))
        if length > 0:
            time = len(self._sums)
            rate = self._rate / (length * (1 - self._beta**time))
            for number in range(time):
                decay = self._beta ** (time - 1 - number)
                if decay >= SETTLED:
                    self._sums_moved[number] += rate * (1 - self._beta) * decay
        return self._summed(self._sums_moved)

    def _at(self, length: float) -> Lineage:
        return self._summed(self._sums_at(length))

    def _settle(self, length: float) -> None:
        """The estimates stay, so later steps have their momentum."""
        self._sums = self._sums_at(length)

    def _sums_at(self, length: float) -> list[float]:
        """Every entry by the step's length of the way."""
        both = zip(self._sums, self._sums_moved, strict=True)
        return [before + length * (moved - before) for before, moved in both]

    def _summed(self, sums: Sequence[float]) -> Lineage:
        """A centre."""
        return Lineage(
            tuple(
                Entry(total * entry.weight, entry.mutation)
                for total, entries in zip(sums, self._estimates, strict=True)
                for entry in entries
                if total
            )
        )

    def _length(self, weights: np.ndarray, overlap: float) -> float:
        """N: root mean square, over the weights it changes, of an estimate in units of sigma.

        overlap: how many of a generation's masks hold such a weight.
        """
        pairs, singles = divmod(self._children, 2) if self._mutation.antithetic else (0, self._children)
        # ranks without meaning have variance 1/12, the difference of two of them 1/6
        expected = (pairs / 6 + singles / 12) / (pairs + singles)
        mean_square = float(np.mean(weights**2)) if len(weights) else 0.0
        if self._adaptive:
            time = len(self._sums)
            self._second = SECOND_MOMENT * self._second + (1 - SECOND_MOMENT) * mean_square
            expected = self._second / (1 - SECOND_MOMENT**time)
        return math.sqrt(expected * overlap)


def estimate(pairs: Sequence[tuple[float, Ask]], antithetic: bool) -> tuple[Entry, ...]:
    """The sparse estimate: one entry a child, or a pair of opposite children, whose weight is not zero."""
    shaped = centred_ranks([fitness for fitness, _ in pairs])
    weights: dict[int, float] = {}
    for number, worth in enumerate(shaped.tolist()):
        first = number - number % 2 if antithetic else number
        weights[first] = weights.get(first, 0.0) + (worth if number == first else -worth)
    own = [ask.lineage.entries[-1].mutation for _, ask in pairs]
    return tuple(Entry(weight, own[first]) for first, weight in weights.items() if weight)
