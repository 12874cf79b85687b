"""A run that is open: its directory, its journal and its workers. Nobody else's state hangs on it.

The one loop over a stage's evaluations (``stages.py``) reads and writes the journal; phases return what they found.
"""

from __future__ import annotations

import signal
import threading
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from evoray.backends import Backend
from evoray.config.resolve import ResolvedConfig
from evoray.data.splits import SearchClosed, Splits
from evoray.errors import EvorayError, RunError, UsageError
from evoray.fitness import Fitness
from evoray.runtime import logs
from evoray.runtime.events import Observer, Observers, RunStarted, WorkersChanged
from evoray.runtime.importing import check_code, import_function
from evoray.runtime.reading import is_short_of_memory, said
from evoray.search.guards.checked import Guard
from evoray.search.inputs import Inputs
from evoray.search.resume import IDENTITY, check_same
from evoray.storage.directory import RunDirectory
from evoray.storage.journal import Journal, Records
from evoray.storage.state import is_begun
from evoray.tasks.registry import done_with


@dataclass
class Tally:
    """What a run has done so far, for ``summary.json``: images evaluated, and wall seconds of each kind of work.

    notes: what workers had to say, as far as it was shown.
    """

    images: int = 0
    notes: list[str] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    started: float = field(default_factory=time.perf_counter)


@dataclass(frozen=True)
class Session:
    """What every phase of a run is given.

    known: evaluations that were finished before the run was resumed; what they hold is not done again.
    """

    run_id: str
    directory: RunDirectory
    inputs: Inputs
    config: ResolvedConfig
    fitness: Fitness
    backend: Backend
    journal: Journal
    known: Records
    observers: Observers
    tally: Tally
    guard: str = ""
    """Which guard's data the stages of this session are on; the run's own unless it is named."""

    @property
    def splits(self) -> Splits:
        return self.inputs.splits

    def close_search(self) -> SearchClosed:
        """The last child is evaluated: ``test`` can be read from here on, and no child is evaluated any more."""
        closed = SearchClosed(self.run_id)
        self.splits.open_test(closed)
        for guard in self.inputs.guards:
            guard.inputs.splits.open_test(closed)
        return closed

    def check_searching(self) -> None:
        """Raises RunError once ``test`` is open: children are evaluated before that."""
        if self.splits.test_is_open:
            raise RunError("a child was to be evaluated after the search was over and test was opened.")

    def on_guard(self, guard: Guard) -> Session:
        """The same session whose stages are on a guard's data, by its task."""
        inputs = replace(guard.inputs, space=self.inputs.space)
        return replace(self, inputs=inputs, fitness=guard.fitness, guard=guard.name)

    def with_config(self, config: ResolvedConfig) -> Session:
        """The same session with a configuration in which what the run had to find is known; it is recorded."""
        self.directory.write_json("config.json", config.model_dump(mode="json"))
        return replace(self, config=config)


@contextmanager
def open_session(
    directory: RunDirectory,
    inputs: Inputs,
    config: ResolvedConfig,
    backend: Backend,
    observers: Sequence[Observer],
    resume: bool,
) -> Iterator[Session]:
    """SIGTERM ends it like Ctrl-C does, and the journal is flushed on every way out.

    Raises:
        UsageError: a resumed run's config, parent, data or PyTorch is not what it started with; or another run has
            begun there meanwhile.
        RunError: stopped by SIGTERM.
    """
    run_id, recorded = _begin(directory, inputs, config, resume)
    journal, told = Journal(directory, run_id), Observers(observers)
    fitness = inputs.fitness.make(inputs.task, lambda name: import_function(name, inputs.config_dir))
    check_code(inputs.code, inputs.config_dir)
    known = journal.read() if resume else Records()
    remembered = len(known)
    backend.on_workers = lambda states: told.emit(WorkersChanged(states))
    session = Session(run_id, directory, inputs, config, fitness, backend, journal, known, told, Tally())
    with _stopped_by_sigterm(), logs.about(run=run_id):
        try:
            told.emit(_started(session, recorded, resume))
            if remembered:
                found = "1 evaluation is" if remembered == 1 else f"{remembered:,} evaluations are"
                told.note(f"going on: {found} taken from the journal")
            with _journal_fits(directory) if remembered else nullcontext():
                yield session
        finally:
            _on_sigterm(signal.SIG_IGN)  # a second one must not stop the flush
            journal.close()
            for task in (inputs.task, *(guard.inputs.task for guard in inputs.guards)):
                done_with(task)


def _started(session: Session, recorded: dict[str, Any], resume: bool) -> RunStarted:
    one = session.fitness.measure
    measure = {"name": session.fitness.name, **asdict(one), "said": one.words}
    return RunStarted(session.run_id, session.directory.location, recorded, resume, session.splits.counted, measure)


def _begin(directory: RunDirectory, inputs: Inputs, config: ResolvedConfig, resume: bool) -> tuple[str, dict[str, Any]]:
    """Writes what identifies the run, or compares it with what a resumed run wrote; its id and its configuration."""
    recorded = config.model_dump(mode="json")
    if resume:
        recorded = check_same(directory, config, inputs.identity())
        run_id = str(directory.read_json(IDENTITY)["run_id"])
        directory.write_json("space.json", inputs.space.to_json())  # the same, by its digest; it may have been removed
    elif is_begun(directory):
        raise UsageError(f"{directory.location}: another run has begun there. Name a new directory with out=.")
    else:
        run_id = uuid.uuid4().hex
        directory.write_json("space.json", inputs.space.to_json())
        directory.write_json(IDENTITY, {"run_id": run_id, **inputs.identity(), "config": recorded})
    directory.write_json("config.json", recorded)
    return run_id, recorded


@contextmanager
def _journal_fits(directory: RunDirectory) -> Iterator[None]:
    """A resumed run may fail on records that are not its own, such as another version's: one message says so."""
    try:
        yield
    except EvorayError:
        raise
    except Exception as error:
        if is_short_of_memory(error):
            raise
        raise RunError(
            f"{directory.location}: could not go on with what journal/ holds ({type(error).__name__}: {said(error)}). "
            "Remove its .arrow files, then go on with resume=True: everything is evaluated again."
        ) from error


@contextmanager
def _stopped_by_sigterm() -> Iterator[None]:
    stopped = False

    def stop(*_: object) -> None:
        """Raises what Ctrl-C raises: the only exception that Ray's own waiting lets a signal handler raise."""
        nonlocal stopped
        stopped = True
        raise KeyboardInterrupt

    before = _on_sigterm(stop)
    try:
        yield
    except KeyboardInterrupt:
        if stopped:
            raise RunError("stopped by SIGTERM. What was finished is in the journal: go on with resume=True.") from None
        raise
    finally:
        _on_sigterm(before)


def _on_sigterm(handler: Any) -> Any:
    """Sets the handler and returns the one before; only the main thread may, and not where one is set by other means
    than Python's: it could not be put back."""
    if threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGTERM) is not None:
        return signal.signal(signal.SIGTERM, handler)
    return None
