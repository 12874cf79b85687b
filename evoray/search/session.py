"""A run that is open: its directory, its journal, its workers. Search, judging and the last look share it."""

from __future__ import annotations

import logging
import re
import signal
import threading
import time
import uuid
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from evoray.backends import Backend, Job
from evoray.config import RunConfig
from evoray.data.splits import SearchClosed
from evoray.errors import RunError
from evoray.evaluation.program import Program
from evoray.fitness import Fitness
from evoray.runtime import logs
from evoray.runtime.importing import import_function
from evoray.runtime.progress import Progress
from evoray.search.inputs import Inputs
from evoray.search.resume import IDENTITY, check_same
from evoray.storage.directory import RunDirectory
from evoray.storage.journal import Journal, Records

LOG = logging.getLogger("evoray")
GIVEN_UP = "given up, its worker died each time"
"""The status of a candidate that kills its workers, whatever Ray said of each: a run's answer holds no process ids."""


class OpenRun:
    """Use as a context: SIGTERM ends it like Ctrl-C does, and the journal is flushed on every way out.

    Raises:
        UsageError: a resumed run's config, parent, data or PyTorch is not what it started with.
        RunError: stopped by SIGTERM.
    """

    def __init__(
        self,
        directory: RunDirectory,
        inputs: Inputs,
        program: Program,
        backend: Backend,
        progress: Progress,
        resume: bool,
    ) -> None:
        self.directory, self.inputs, self.config = directory, inputs, inputs.config
        self.program, self.backend, self.progress = program, backend, progress
        self.fitness: Fitness = inputs.fitness.make(lambda name: import_function(name, inputs.config_dir))
        self.run_id = self._begin(resume)
        self.journal = Journal(directory)
        self.known = self.journal.read() if resume else Records()
        """Units that were finished before; what they hold is not evaluated again."""
        self.parent_total: np.ndarray | None = None
        """The parent's merged sums on ``select``, once it is judged; constraints compare with them."""
        self.closed: SearchClosed | None = None
        self.given_up: dict[str, str] = {}
        """Candidates that killed their workers, and on which shard and how the last of them ended."""
        self.chosen_sigma: dict[str, Any] | None = None
        """How ``sigma = "auto"`` was resolved, for the summary."""
        self.images = 0
        self._stopped = False
        self.started = time.perf_counter()
        self.stages: dict[str, float] = {}
        """Seconds spent on each kind of work, for ``summary.json``."""
        self.history: list[dict[str, Any]] = []
        """One line a round, for ``metrics.jsonl``."""

    def __enter__(self) -> OpenRun:
        self._previous = _on_sigterm(self._stop)
        self._about = logs.about(run=self.run_id)
        self._about.__enter__()
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        _on_sigterm(signal.SIG_IGN)  # a second one must not stop the flush
        try:
            self.journal.close()
        finally:
            self._about.__exit__(None, None, None)
            _on_sigterm(self._previous)
        if self._stopped and kind is KeyboardInterrupt:
            raise RunError("stopped by SIGTERM. What was finished is in the journal: go on with --resume.")

    def _stop(self, *_: object) -> None:
        """Raises what Ctrl-C raises: the only exception that Ray's own waiting lets a signal handler raise."""
        self._stopped = True
        raise KeyboardInterrupt

    def outcomes(self, name: str, job: Job) -> Iterator[tuple[int, int, Any, str | None]]:
        """(shard, item, value, failure) of a job's items as they finish, with progress under ``name``."""
        self.progress.stage(name, sum(len(items) for items in job.work.values()))
        kind, started = _kind(name), time.perf_counter()
        for outcome in self.backend.run(replace(job, run=self.run_id)):
            self.progress.advance(1)
            yield outcome.shard, outcome.item, outcome.value, outcome.failure
        self.stages[kind] = self.stages.get(kind, 0.0) + time.perf_counter() - started

    def quarantined(self, stage: str) -> Iterator[str]:
        """Names of a stage's candidates that were given up before this run was resumed."""
        for name, shard, reason in self.known.take(_quarantine(stage)):
            self.given_up[name] = f"shard {shard}: {reason.decode()}"
            yield name

    def give_up(self, stage: str, name: str, shard: int, reason: str) -> None:
        """A candidate killed every worker that met it: kept, so that no resumed run loses workers to it again.

        Raises:
            RunError: it is the parent, without which no run goes on; a resumed one tries again.
        """
        if name == "parent":
            raise RunError(
                f"the parent on shard {shard} of select: {reason}. Give workers more memory, or look at the model and "
                "the fitness function; then go on with --resume."
            )
        self.given_up[name] = f"shard {shard}: {reason}"
        self.journal.add((_quarantine(stage), name, shard), reason.encode())
        self.journal.flush()
        LOG.error("child given up", extra={"child": name, "shard": shard, "reason": reason})
        self.progress.note(f"{name} on shard {shard}: {reason}. It ranks last.")

    def close_search(self) -> SearchClosed:
        """The last child is judged: ``test`` can be read from here on, and no child is judged any more."""
        self.closed = SearchClosed(self.run_id)
        self.inputs.splits.open_test(self.closed)
        return self.closed

    def resolve(self, config: RunConfig) -> None:
        """Goes on with a configuration in which what the run had to look up is known, and keeps it."""
        self.config = config
        self.directory.write_json("config.json", config.model_dump(mode="json"))

    def _begin(self, resume: bool) -> str:
        """Writes what identifies the run, or compares it with what a resumed run wrote; its id."""
        config = self.config.model_dump(mode="json")
        if resume:
            config = check_same(self.directory, self.inputs)
            run_id = str(self.directory.read_json(IDENTITY)["run_id"])
        else:
            run_id = uuid.uuid4().hex
            self.directory.write_json("space.json", self.inputs.space.to_json())
            self.directory.write_json(IDENTITY, {"run_id": run_id, **self.inputs.identity()})
        self.directory.write_json("config.json", config)
        return run_id


def _quarantine(stage: str) -> str:
    """The journal's name for those of a stage that were given up; no stage has it."""
    return f"{stage}/given-up"


def _kind(stage: str) -> str:
    """What a stage is a part of: ``child`` for g0003/child/look2, ``auto`` for auto/1."""
    first, *rest = stage.split("/")
    if re.fullmatch(r"g\d+", first) and rest:
        return rest[0]
    return first if first == "auto" else stage


def _on_sigterm(handler: Any) -> Any:
    """Sets the handler and returns the one before; only the main thread may."""
    if threading.current_thread() is threading.main_thread():
        return signal.signal(signal.SIGTERM, handler)
    return None
