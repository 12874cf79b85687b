"""The extension point: ask for lineages, tell their fitness. A strategy knows no weights, no data, no ray.

A round is what is asked for at once; its fitnesses come back together, in order, so the state after a round is a
function of the seed and the fitnesses alone. Failed candidates are told as -inf and rank last.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from evoray.mutation import Lineage


@dataclass(frozen=True)
class Ask:
    """One candidate: ``base`` is shared by the round, ``lineage`` extends it.

    name: ``parent``, ``g0000/c0012`` for a child, ``g0000/soup04x2`` for the soup of the best four at step 2.
    """

    name: str
    lineage: Lineage
    generation: int
    kind: Literal["parent", "child", "soup"]


@dataclass(frozen=True)
class Round:
    """Candidates to evaluate together; every lineage starts with ``base``."""

    base: Lineage
    asks: tuple[Ask, ...]


class Strategy(Protocol):
    """Ask and tell in turn until ``ask`` returns None."""

    def ask(self) -> Round | None:
        """The next round, or None when the search is over. Asking twice without telling gives the same round."""
        ...

    def tell(self, fitness: Sequence[float]) -> None:
        """Fitness of the asked candidates, in order; -inf for those that failed."""
        ...

    @property
    def soup(self) -> Ask | None:
        """The best combination found, None when none was better than what it started from."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """JSON-ready state, from which ``load_state_dict`` goes on identically."""
        ...

    def load_state_dict(self, state: dict[str, Any]) -> None: ...
