"""What runs in a worker process: builds the evaluator once, keeps it between units, jobs and runs.

Imports neither torch nor ray; what the units need is imported when the Source that builds it arrives.
"""

from __future__ import annotations

import logging
import os
import pickle
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from evoray.backends.base import Report, Unit
from evoray.backends.wire import Decoder
from evoray.errors import EvaluationError, EvorayError
from evoray.runtime import logs

LOG = logging.getLogger("evoray")


class UntoldError(Exception):
    """A unit came without what its job's units share: the message that held it was lost."""


@dataclass(frozen=True)
class Loaded:
    """A worker that is ready: whether it had to build (and how long it took), and on what it computes."""

    built: bool
    node: str = ""
    device: str = ""
    seconds: float = 0.0


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
        self._idle_since = time.perf_counter()

    def load(self, key: str, paths: Sequence[str], source: bytes, bulk: Any) -> Loaded:
        """Builds what ``source`` describes, unless it is here already; user's modules are imported from ``paths``."""
        for path in paths:
            if path not in sys.path and os.path.isdir(path):
                sys.path.insert(0, path)
        started, built = time.perf_counter(), key != self._key
        if built:
            self._key, self._evaluator = None, None
            self._evaluator = pickle.loads(source).build(self._fetch(bulk))
            self._key = key
        self._idle_since = time.perf_counter()
        device = str(getattr(self._evaluator, "device_name", ""))
        return Loaded(built, device=device, seconds=self._idle_since - started)

    def run(self, job: int, preamble: bytes | None, payload: bytes) -> Report:
        """Runs a unit; ``preamble`` comes with the job's first one."""
        waited = time.perf_counter() - self._idle_since
        if preamble is not None and job != self._job:
            self._job, self._decoder = job, Decoder(preamble)
        if job != self._job or self._decoder is None:
            raise UntoldError
        report = evaluate(self._decoder.decode(payload), self._evaluator, self._decoder.run)
        self._idle_since = time.perf_counter()
        return replace(report, waited=waited)


def evaluate(unit: Unit, evaluator: Any, run: str) -> Report:
    """Runs a unit of a run, and says in its report and in the log what it cost."""
    started = time.perf_counter()
    loads, loading, images = _counted(evaluator)
    with logs.about(run=run, shard=getattr(unit, "shard", None)):
        values = unit.run(evaluator)
        seconds = time.perf_counter() - started
        LOG.info("unit done", extra={"children": len(values), "seconds": round(seconds, 6)})
    after = _counted(evaluator)
    held = evaluator.held() if after[0] > loads else None
    return Report(values, seconds, after[1] - loading, after[0] - loads, held, after[2] - images)


def own_error(error: BaseException | None) -> EvorayError:
    """What a unit raised, as EvoRay's own error."""
    if isinstance(error, EvorayError):
        return error
    return EvaluationError(f"a worker raised {type(error).__name__}: {error}")


def _counted(evaluator: Any) -> tuple[int, float, int]:
    """(shards read, seconds for it, images) so far, of an evaluator that counts them."""
    counters = getattr(evaluator, "counters", None)
    return (0, 0.0, 0) if counters is None else (counters.loads, counters.seconds.get("loading", 0.0), counters.images)
