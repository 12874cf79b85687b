"""What runs in a worker process: builds the evaluator once, keeps it between units, jobs and runs.

Imports neither torch nor ray; what the units need is imported when the Source that builds it arrives.
"""

from __future__ import annotations

import os
import pickle
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Report:
    """A unit's values, one an item, and the seconds they took here."""

    values: list[Any]
    seconds: float


class Worker:
    """One process's share: at most one evaluator at a time.

    Args:
        paths: folders from which the user's modules are imported.
        fetch: from what stands for a source's large part to the part itself.
    """

    def __init__(self, paths: Sequence[str], fetch: Callable[[Any], Any]) -> None:
        for path in paths:
            if path not in sys.path and os.path.isdir(path):
                sys.path.insert(0, path)
        self._fetch = fetch
        self._key: str | None = None
        self._evaluator: Any = None

    def load(self, key: str, source: bytes, bulk: Any) -> bool:
        """Builds what ``source`` describes; False when it is here already."""
        if key == self._key:
            return False
        self._key, self._evaluator = None, None
        self._evaluator = pickle.loads(source).build(self._fetch(bulk))
        self._key = key
        return True

    def run(self, unit: bytes) -> Report:
        """Runs a pickled unit."""
        started = time.perf_counter()
        values = pickle.loads(unit).run(self._evaluator)
        return Report(values, time.perf_counter() - started)
