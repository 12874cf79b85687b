"""A strategy of a user's own: the decomposition for so many seconds, with its base remembered at times on the way."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from evoray.config import RunConfig
from evoray.strategies.base import Ask, Round, drawn_by
from evoray.strategies.decomposition import Decomposition, DecompositionSearch

SNAPSHOTS = 60
"""Times in a run at which its base is remembered."""


class TimedSearch(DecompositionSearch):
    """seconds: how long it asks for more, from its first question on; trace: where its bases are written."""

    strategy: Literal["timed:Timed"] = "timed:Timed"  # type: ignore[assignment]
    seconds: Annotated[float, Field(gt=0)]
    trace: str


class Timed(Decomposition):
    """As ``Decomposition``. The trace is JSON: a list of {"at" (perf_counter), "evaluations", "fitness", "entries"}."""

    Section = TimedSearch

    @classmethod
    def from_config(cls, config: RunConfig, search: Any) -> Timed:
        made = cls(*drawn_by(config), search.children, search.generations, soup_size=config.elite)
        made._seconds, made._trace = search.seconds, Path(search.trace)
        made._begun: float | None = None
        made._known, made._evaluations = [], 0
        return made

    def ask(self) -> Round | None:
        if self._begun is None:
            self._begun = time.perf_counter()
        over = time.perf_counter() - self._begun > self._seconds and self._ranked is None and self._generation > 0
        asked = None if over else super().ask()
        if asked is None:
            self._remember()
            self._trace.write_text(json.dumps(self._known))
        return asked

    def tell(self, fitness: Sequence[float]) -> None:
        # the answer is to the round that was asked, however much time has passed since
        seconds, self._seconds = self._seconds, float("inf")
        super().tell(fitness)
        self._seconds = seconds
        self._evaluations += len(fitness)
        assert self._begun is not None
        if time.perf_counter() - self._begun >= self._seconds * (len(self._known) + 1) / SNAPSHOTS:
            self._remember()

    def _remember(self) -> None:
        base: Ask = self._base
        self._known.append(
            {
                "at": time.perf_counter(),
                "evaluations": self._evaluations,
                "fitness": self._base_fitness,
                "generation": self._generation,
                "entries": base.lineage.to_json(),
            }
        )
