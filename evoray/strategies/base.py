"""The extension point: ask for lineages, tell their fitness. A strategy knows no weights, no data, no ray.

A round is what is asked for at once; its fitnesses come back together, in order, so the state after a round is a
function of the seed and the fitnesses alone. Failed candidates are told as -inf and rank last.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from evoray.mutation import Lineage


@dataclass(frozen=True)
class Ask:
    """One candidate: ``base`` is shared by the round's children, ``lineage`` extends it.

    name: ``parent``, ``g0000/c0012`` for a child, ``g0000/soup04x2`` for the soup of the best four at step 2,
        ``g0000/step`` for the network that a generation moved to.
    own: how many of the lineage's last entries a child adds to its base.
    """

    name: str
    lineage: Lineage
    generation: int
    kind: Literal["parent", "child", "soup"]
    own: int = 1

    @property
    def base(self) -> Lineage:
        """What a child was made from."""
        return Lineage(self.lineage.entries[: len(self.lineage.entries) - self.own])


@dataclass(frozen=True)
class Round:
    """Candidates to evaluate together; every lineage starts with ``base``."""

    base: Lineage
    asks: tuple[Ask, ...]


class Strategy(Protocol):
    """Ask and tell in turn until ``ask`` returns None."""

    @property
    def elite(self) -> int:
        """How many of a round's best children its next step tells apart; the others may be judged roughly."""
        ...

    def ask(self) -> Round | None:
        """The next round, or None when the search is over. Asking twice without telling gives the same round."""
        ...

    def tell(self, fitness: Sequence[float]) -> None:
        """Fitness of the asked candidates, in order; -inf for those that failed."""
        ...

    @property
    def soup(self) -> Ask | None:
        """The best network found that later rounds build on, None when none was better than the parent."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """JSON-ready state, from which ``load_state_dict`` of a fresh strategy goes on identically."""
        ...

    def load_state_dict(self, state: dict[str, Any]) -> None: ...


class Replayed:
    """State as what was told: a strategy that is a function of (seed, fitnesses) is rebuilt by telling them again.

    A subclass gives ``ask`` and ``_tell``; replaying costs what the strategy's own arithmetic costs, without a model.
    """

    def __init__(self) -> None:
        self._told: list[list[float]] = []

    def ask(self) -> Round | None:
        raise NotImplementedError

    def _tell(self, pairs: Sequence[tuple[float, Ask]]) -> None:
        """(fitness, candidate) of the round asked last, in order."""
        raise NotImplementedError

    def tell(self, fitness: Sequence[float]) -> None:
        asked = self.ask()
        if asked is None or len(asked.asks) != len(fitness):
            raise ValueError("tell takes one fitness for every candidate of the round asked last")
        self._told.append([float(value) for value in fitness])
        self._tell(list(zip(fitness, asked.asks, strict=True)))

    def state_dict(self) -> dict[str, Any]:
        return {"told": [[value if math.isfinite(value) else None for value in told] for told in self._told]}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        if self._told:
            raise ValueError("load_state_dict is for a strategy that was told nothing yet")
        for told in state["told"]:
            self.tell([-math.inf if value is None else value for value in told])


def ranked(pairs: Sequence[tuple[float, Ask]]) -> list[tuple[float, Ask]]:
    """Those that did not fail, best first; sorted is stable, so equals keep the order of children."""
    return sorted((pair for pair in pairs if pair[0] > -math.inf), key=lambda pair: -pair[0])


def child_name(generation: int, child: int) -> str:
    """``g0000/c0012``"""
    return f"g{generation:04d}/c{child:04d}"
