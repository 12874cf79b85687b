"""Evaluates the population: what ``select`` says of a round's candidates, from the journal where it is known."""

import math
from dataclasses import dataclass, replace

import numpy as np

from evoray.data.schema import IMAGES
from evoray.errors import RunError
from evoray.evaluation.units.children import Candidate, ChildrenUnit
from evoray.fitness import Constrained, Fitness, MergedSums
from evoray.mutation import Lineage, first_used
from evoray.search.session import Session
from evoray.search.stages import GIVEN_UP, ROW, Part, Stage, StageKey, run_stage
from evoray.strategies import Ask, Round

PARTS = {"parent": Part.PARENT, "child": Part.CHILDREN, "soup": Part.SOUPS}
"""By the kind of a round's last candidate."""


@dataclass(frozen=True)
class Evaluated:
    """A candidate and what ``select`` says of it; fitness is -inf and status a reason where it failed.

    given_up: on which shard its workers died, and how; empty where they did not.
    """

    ask: Ask
    total: np.ndarray | None
    fitness: float
    status: str
    given_up: str = ""


def round_key(asked: Round) -> StageKey:
    """Of a generation's children, parent or soups."""
    last = asked.asks[-1]
    return StageKey(f"g{last.generation:04d}/{last.kind}", PARTS[last.kind])


class Population:
    """Evaluates rounds. Remembers the parent's sums, with which constraints compare."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._parent: np.ndarray | None = None

    def evaluate(self, asked: Round, key: StageKey | None = None) -> list[Evaluated]:
        """Every candidate of a round, in the order asked, with its merged sums on ``select``.

        Args:
            key: of the stage, where it is none of a generation's own.
        """
        self._session.check_searching()
        sums, given_up = self._sums(asked, key or round_key(asked))
        evaluated = []
        for number, ask in enumerate(asked.asks):
            if number in given_up:
                one = Evaluated(ask, None, -math.inf, GIVEN_UP, given_up[number])
            else:
                one = evaluated_as(self._session.fitness, ask, sums.total(number), self._session.splits.counted)
            if ask.kind == "parent":
                self._parent = None if one.total is None else one.total.copy()  # outlives the round's
            evaluated.append(self._constrained(one))
        return evaluated

    def parent_total(self) -> np.ndarray:
        """The parent's merged sums on ``select``; evaluated now where no strategy asked for it."""
        if self._parent is None:
            self.evaluate(Round(Lineage(), (Ask("parent", Lineage(), 0, "parent"),)))
        assert self._parent is not None
        return self._parent

    def _constrained(self, one: Evaluated) -> Evaluated:
        """Who breaks a constraint ranks behind all that keep it, and says which."""
        fitness = self._session.fitness
        if not isinstance(fitness, Constrained) or one.ask.kind == "parent" or one.fitness == -math.inf:
            return one
        assert one.total is not None
        broken = fitness.broken(one.total, self.parent_total())
        return one if broken is None else replace(one, fitness=-math.inf, status=f"breaks {broken}")

    def _sums(self, asked: Round, key: StageKey) -> tuple[MergedSums, dict[int, str]]:
        """Sums of every candidate, and which were given up and why."""
        images = self._session.splits.images_by_shard("select")
        column = {shard: at for at, shard in enumerate(images)}
        sums = MergedSums(len(asked.asks), len(images), self._session.fitness.layout.width)
        given_up = {}

        def unit(shard: int, items: tuple[int, ...]) -> ChildrenUnit:
            asks = [asked.asks[item] for item in items]
            children = tuple(Candidate(ask.name, ask.lineage.tail(asked.base)) for ask in asks)
            return ChildrenUnit(asked.base, children, "select", shard)

        names = [ask.name for ask in asked.asks]
        groups = first_used(self._session.inputs.space, [ask.lineage.tail(asked.base) for ask in asked.asks])
        required = frozenset(number for number, ask in enumerate(asked.asks) if ask.kind == "parent")
        for result in run_stage(
            self._session, Stage(key, names, images, unit, ROW, shared=(asked.base,), required=required, groups=groups)
        ):
            if result.value is None:
                given_up[result.item] = result.reason
            else:
                sums.add(result.item, column[result.shard], result.value)
        return sums, given_up


def evaluated_as(fitness: Fitness, ask: Ask, total: np.ndarray, counted: str = IMAGES) -> Evaluated:
    """From merged sums, float64 [fitness.layout.width]."""
    if not fitness.layout.is_valid(total):
        invalid = int(fitness.layout.column(total, "invalid"))
        return Evaluated(ask, total, -math.inf, f"{invalid} {counted} with NaN or infinite outputs")
    value = fitness.value(total)
    if not math.isfinite(value):
        return Evaluated(ask, total, -math.inf, f"fitness is {value}")
    return Evaluated(ask, total, value, "ok")


def check_some_succeeded(evaluated: list[Evaluated]) -> None:
    """Raises RunError when every child failed."""
    if not any(one.ask.kind == "child" and one.fitness > -math.inf for one in evaluated):
        raise RunError(
            f"every child failed ({evaluated[-1].status}). Lower mutation.sigma, or look at the fitness function."
        )
