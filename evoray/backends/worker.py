"""What runs in a worker process: builds what its source describes once, keeps it between units, jobs and runs.

Imports neither torch nor ray; what the units need is imported when the Source that builds it arrives.
"""

import logging
import pickle
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any

from evoray.backends.base import Report, Source, Unit, WorkerState
from evoray.backends.wire import Decoder
from evoray.errors import EvaluationError, EvorayError
from evoray.runtime import logs
from evoray.runtime.importing import make_importable
from evoray.runtime.malloc import keep_freed_memory
from evoray.runtime.origin import NoExit
from evoray.runtime.reading import reason_of

LOG = logging.getLogger("evoray")


class NotInitialisedError(Exception):
    """A unit came before what its job's units share: the message that held that was lost."""


@dataclass(frozen=True)
class Loaded:
    """A worker that is ready: whether it had to build (and how long it took), and on what it computes."""

    built: bool
    node: str = ""
    device: str = ""
    seconds: float = 0.0


class Worker:
    """One process's share: at most one source and one job at a time. The process is a worker's alone: it is set as
    the source asks.

    Args:
        fetch: from what stands for a source's large part to the part itself.
    """

    def __init__(self, fetch: Callable[[Any], Any]) -> None:
        self._fetch = fetch
        self._key: str | None = None
        self._state: WorkerState | None = None
        self._settings = ExitStack()
        self._job: int | None = None
        self._decoder: Decoder | None = None
        self._idle_since = time.perf_counter()

    def load(self, key: str, paths: Sequence[str], source: bytes, bulk: Any) -> Loaded:
        """Builds what ``source`` describes, unless it is here already; user's modules are imported from ``paths``."""
        for path in paths:
            make_importable(path)
        started, built = time.perf_counter(), key != self._key
        if self._state is None or built:
            self._key, self._state = None, None
            self._state = self._build(pickle.loads(source), bulk)
            self._key = key
        self._idle_since = time.perf_counter()
        return Loaded(built, device=self._state.device_name, seconds=self._idle_since - started)

    def run(self, job: int, preamble: bytes | None, payload: bytes) -> Report:
        """Runs a unit; ``preamble`` comes with the job's first one."""
        waited = time.perf_counter() - self._idle_since
        if preamble is not None and job != self._job:
            self._job, self._decoder = job, Decoder(preamble)
        if job != self._job or self._decoder is None or self._state is None:
            raise NotInitialisedError
        report = evaluate(self._decoder.decode(payload), self._state, self._decoder.run)
        self._idle_since = time.perf_counter()
        return replace(report, waited=waited)

    def _build(self, source: Source, bulk: Any) -> WorkerState:
        self._settings.close()
        if source.threads is not None:
            import torch

            torch.set_num_threads(source.threads)
        self._settings.enter_context(source.settings())
        with NoExit(None, EvaluationError):
            state = source.build(self._fetch(bulk))
        if source.device == "cpu":
            keep_freed_memory()  # only now: what building took goes back
        return state


def evaluate(unit: Unit, state: WorkerState, run: str) -> Report:
    """Runs a unit of a run, and says in its report and in the log what it cost."""
    started, before = time.perf_counter(), replace(state.counters)
    with logs.about(run=run, shard=unit.shard):
        with NoExit(None, EvaluationError):
            values = unit.run(state)
        seconds = time.perf_counter() - started
        LOG.info("unit done", extra={"children": len(values), "seconds": round(seconds, 6)})
    after = state.counters
    loads = after.loads - before.loads
    held = state.held() if loads else None
    images, passes = after.images - before.images, after.passes - before.passes
    return Report(values, seconds, after.loading - before.loading, loads, held, images, passes=passes, note=after.note)


def own_error(error: BaseException | None) -> EvorayError:
    """What a unit raised, as EvoRay's own error."""
    if isinstance(error, EvorayError):
        return error
    return EvaluationError(f"a worker raised {'nothing' if error is None else reason_of(error)}")
