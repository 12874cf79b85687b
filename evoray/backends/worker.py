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

from evoray.backends.wire import Decoder


class UntoldError(Exception):
    """A unit came without what its job's units share: the message that held it was lost."""


@dataclass(frozen=True)
class Report:
    """A unit's values, one an item, and what they cost here.

    seconds: of which ``loading`` for reading ``loads`` shards.
    held: (split, shard) of what is in memory now; None when that has not changed.
    """

    values: list[Any]
    seconds: float
    loading: float = 0.0
    loads: int = 0
    held: tuple[tuple[str, int], ...] | None = None


@dataclass(frozen=True)
class Loaded:
    """A worker that is ready: whether it had to build, and on what it computes."""

    built: bool
    node: str = ""
    device: str = ""


class Worker:
    """One process's share: at most one evaluator and one job at a time.

    Args:
        fetch: from what stands for a source's large part to the part itself.
    """

    def __init__(self, fetch: Callable[[Any], Any]) -> None:
        self._fetch = fetch
        self._key: str | None = None
        self._evaluator: Any = None
        self._job: int | None = None
        self._decoder: Decoder | None = None

    def load(self, key: str, paths: Sequence[str], source: bytes, bulk: Any) -> Loaded:
        """Builds what ``source`` describes, unless it is here already; user's modules are imported from ``paths``."""
        for path in paths:
            if path not in sys.path and os.path.isdir(path):
                sys.path.insert(0, path)
        built = key != self._key
        if built:
            self._key, self._evaluator = None, None
            self._evaluator = pickle.loads(source).build(self._fetch(bulk))
            self._key = key
        return Loaded(built, device=str(getattr(self._evaluator, "device_name", "")))

    def run(self, job: int, preamble: bytes | None, payload: bytes) -> Report:
        """Runs a unit; ``preamble`` comes with the job's first one."""
        started = time.perf_counter()
        if preamble is not None and job != self._job:
            self._job, self._decoder = job, Decoder(preamble)
        if job != self._job or self._decoder is None:
            raise UntoldError
        loads, loading = _reading(self._evaluator)
        values = self._decoder.decode(payload).run(self._evaluator)
        loads, loading = _reading(self._evaluator)[0] - loads, _reading(self._evaluator)[1] - loading
        held = self._evaluator.held() if loads else None
        return Report(values, time.perf_counter() - started, loading, loads, held)


def _reading(evaluator: Any) -> tuple[int, float]:
    """(shards read, seconds for it) so far, of an evaluator that counts them."""
    counters = getattr(evaluator, "counters", None)
    return (0, 0.0) if counters is None else (counters.loads, counters.seconds.get("loading", 0.0))
