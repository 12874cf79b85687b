"""A search by a peer: its evaluations are counted, its CPU seconds taken, and its best answer remembered.

An answer is the best network, on the images that choose, among all that were offered. What is offered without a known
loss (the centre of a distribution, which few peers evaluate) is judged off the clock and off the count: so much is
given to the peer. A search goes on until both budgets are spent, evaluations and seconds; its answer to a budget is the
one at the end of the generation in which that was reached, which again is to the peer's advantage.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from evoray.study.peers.problem import Network

CURVE = 4
"""Points of a search that are scored on ``test``, beside its answers."""
VOTERS = 8
"""Members of an ensemble, for every arm that has one."""


class Exhausted(Exception):  # noqa: N818  # no error: how a search ends
    """Both budgets are spent."""


@dataclass(frozen=True)
class Point:
    """CPU seconds and evaluations so far, and the answer at that time with its mean NLL on the images that choose."""

    seconds: float
    evaluations: int
    select: float
    vector: Tensor


class Trial:
    """One search. evaluations, seconds: both are spent before it ends; clock: of CPU seconds."""

    def __init__(
        self, network: Network, evaluations: int, seconds: float, clock: Callable[[], float] = time.process_time
    ) -> None:
        self.network, self.points = network, list[Point]()
        self.best = Point(0.0, 0, network.loss(network.select), network.home)
        self._evaluations, self._seconds, self._clock = evaluations, seconds, clock
        self.members: list[tuple[float, Tensor]] = []
        """The best guesses within the budget, for who votes: (loss, network), the best first."""
        self._count = 0
        self._begun = clock()

    def loss(self, vector: Tensor | None = None) -> float:
        """Mean NLL on the images that choose, of a network or of the weights as they are: one evaluation."""
        if vector is not None:
            self.network.write(vector)
        self._count += 1
        return self.network.loss(self.network.select)

    def offer(self, vector: Tensor, loss: float | None = None) -> None:
        """A network that may be the answer; loss: what ``loss`` gave for it.

        Raises:
            Exhausted: both budgets are spent.
        """
        now = self._clock() - self._begun
        if loss is None:
            self.network.write(vector)
            loss = self.network.loss(self.network.select)
        if loss < self.best.select:
            self.best = Point(now, self._count, loss, vector.detach().clone())
        self.points.append(Point(now, self._count, self.best.select, self.best.vector))
        self._begun += self._clock() - self._begun - now
        if self._count >= self._evaluations and now >= self._seconds:
            raise Exhausted

    def vote(self, vector: Tensor, loss: float) -> None:
        """A guess that may be a member of the ensemble."""
        if self._count <= self._evaluations:
            self.members = sorted([*self.members, (loss, vector)], key=lambda one: one[0])[:VOTERS]

    def at(self, evaluations: float = 0, seconds: float = 0) -> Point:
        """The answer once so many evaluations, or seconds, were spent."""
        reached = (one for one in self.points if one.evaluations >= evaluations and one.seconds >= seconds)
        return next(reached, self.points[-1])

    def run(self, search: Callable[[Trial], None]) -> None:
        """A search to its end."""
        try:
            search(self)
        except Exhausted:
            return

    def curve(self) -> Sequence[Point]:
        """Some points, evenly over the search."""
        places = np.linspace(0, len(self.points) - 1, CURVE + 1).round()
        return [self.points[int(place)] for place in np.unique(places)[1:]]
