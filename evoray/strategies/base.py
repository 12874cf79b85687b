"""What a strategy is: it asks for lineages and is told their fitness. It knows no weights, no data, no ray.

A round is what is asked for at once; its fitnesses come back together, in order, so the state after a round is a
function of the seed and the fitnesses alone. Failed candidates are told as -inf and rank last.

A new strategy is a class in a file of its own, derived from ``Strategy`` or ``Replayed``, with its section of the
configuration (``Section``) beside it, and a line in the registry; a user's own needs no line, ``search.strategy =
"package.module:Class"`` names it.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self

from evoray.config import MutationConfig, RunConfig, SearchConfig
from evoray.config.variants import Variant
from evoray.errors import ConfigError
from evoray.mutation import Lineage
from evoray.mutation.allocation import HISTORY


@dataclass(frozen=True)
class Ask:
    """One candidate: ``base`` is shared by the round's children, ``lineage`` extends it.

    name: ``parent``, ``g0000/c0012`` for a child, ``g0000/soup04x2`` for the soup of the best four at step 2,
        ``g0000/stepx0.25`` for the end of a generation's step at a quarter of its length.
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


class Strategy(Variant, ABC):
    """Ask and tell in turn until ``ask`` returns None."""

    Section: ClassVar[type[SearchConfig]] = SearchConfig
    """Its keys of ``[search]``; a subclass of ``SearchConfig`` where it has some of its own."""

    revision: ClassVar[int] = 1
    """Raised where the same fitnesses lead to other candidates than before: runs begun earlier cannot go on."""

    @classmethod
    @abstractmethod
    def from_config(cls, config: RunConfig, search: Any) -> Self:
        """The strategy of a run; ``search`` is the run's section, an instance of ``Section``."""

    @property
    @abstractmethod
    def elite(self) -> int:
        """How many of a round's best children its next step tells apart; the others may be evaluated roughly."""

    @abstractmethod
    def ask(self) -> Round | None:
        """The next round, or None when the search is over. Asking twice without telling gives the same round."""

    @abstractmethod
    def tell(self, fitness: Sequence[float]) -> None:
        """Fitness of the asked candidates, in order; -inf for those that failed."""

    @property
    def winners(self) -> int:
        """How many of a round's best the next step goes on from, or is made of, as they are; guards judge those."""
        return self.elite

    @property
    @abstractmethod
    def soup(self) -> Ask | None:
        """The best network found that later rounds build on, None when none was better than the parent."""

    @abstractmethod
    def state_dict(self) -> dict[str, Any]:
        """JSON-ready state, from which ``load_state_dict`` of a fresh strategy goes on identically."""

    @abstractmethod
    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Goes on where the strategy was that gave this state; only before anything is told."""


class Replayed(Strategy):
    """State as what was told: a strategy that is a function of (seed, fitnesses) is rebuilt by telling them again.

    A subclass gives ``ask`` and ``_tell``; replaying costs what the strategy's own arithmetic costs, without a model.
    """

    def __init__(self) -> None:
        self._told: list[list[float]] = []
        self.credits: tuple[Any, ...] = ()
        """What the kind of mutation remembers of the last generations (``MutationConfig.credit``)."""

    @abstractmethod
    def _tell(self, pairs: Sequence[tuple[float, Ask]]) -> None:
        """(fitness, candidate) of the round asked last, in order."""

    def tell(self, fitness: Sequence[float]) -> None:
        asked = self.ask()
        if asked is None or len(asked.asks) != len(fitness):
            raise ValueError("tell takes one fitness for every candidate of the round asked last")
        self._told.append([float(value) for value in fitness])
        self._tell(list(zip(fitness, asked.asks, strict=True)))

    def learn(self, mutation: MutationConfig, base: float, children: Sequence[tuple[float, Ask]]) -> None:
        """Lets the kind of mutation learn from a generation. base: fitness of what its children were made from."""
        gains = [(ask.lineage.entries[-1].mutation, fitness - base) for fitness, ask in children]
        credit = mutation.credit(gains)
        if credit is not None:
            self.credits = (*self.credits, credit)[-HISTORY:]

    def state_dict(self) -> dict[str, Any]:
        told = [[value if math.isfinite(value) else None for value in told] for told in self._told]
        return {"told": told}

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


def drawn_by(config: RunConfig) -> tuple[MutationConfig, float, int]:
    """What every strategy draws by: (mutation, sigma, seed). Raises ConfigError while sigma is ``"auto"``."""
    sigma = config.mutation.one_sigma
    if sigma is None:
        raise ConfigError('mutation.sigma = "auto" is chosen by the run; give a strategy a number.')
    return config.mutation, sigma, config.seed


def refuse_racing(config: RunConfig) -> None:
    """ValueError where a strategy that learns from every child is to race them."""
    if config.search.racing:
        name = config.search.strategy
        raise ValueError(f"search.racing = true: {name} learns from every child, and racing tells only the best apart")
