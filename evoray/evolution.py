"""A run from beginning to end: inputs, workers, search, choices, final test, files."""

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from evoray.backends import Backend
from evoray.config import RunConfig, load_config, parse_config
from evoray.errors import RunError, UsageError
from evoray.evaluation.program import DTYPES
from evoray.evaluation.settings import like_a_fresh_thread
from evoray.results.final_test import final_test
from evoray.results.guards import test_guards
from evoray.results.members import choose
from evoray.results.rebuilt import unchecked
from evoray.results.write import RunResult, read_results, write_page, write_results
from evoray.runtime.auto import Auto, given
from evoray.runtime.events import Observer, Observers, RunEnded
from evoray.runtime.importing import leaving_no_modules
from evoray.runtime.origin import NoExit, interrupts_kept
from evoray.runtime.paths import expanded
from evoray.runtime.progress import Progress, ShownProgress
from evoray.search.auto_sigma import choose_sigma
from evoray.search.inputs import check_inputs
from evoray.search.loop import search
from evoray.search.resume import CONFIG, check_same
from evoray.search.session import Session, open_session
from evoray.search.workers import open_workers
from evoray.storage.directory import RunDirectory, free_path
from evoray.storage.documents import remedy_of
from evoray.storage.lock import claimed, tidy
from evoray.storage.metrics import MetricsFile
from evoray.storage.state import check_place, is_finished
from evoray.tracking import observer as tracking
from evoray.watching.keeper import Keeper, is_growing
from evoray.watching.notebook import Cell, in_notebook, shown_in_cell

MEASURED: tuple[tuple[str, Callable[[Any], bool], str], ...] = (
    ("batch_size", lambda value: type(value) is int and value >= 1, "number"),
    ("dtype", lambda value: type(value) is str and value in DTYPES, "type"),
)
"""Keys of ``[compute]`` that a run may find by itself; what a recorded value has to be."""


@interrupts_kept()
@like_a_fresh_thread()
@leaving_no_modules()
def evolve(
    config: RunConfig | Mapping[str, Any] | str | Path,
    out: str | Path | None = None,
    *,
    config_dir: Path | None = None,
    resume: bool | Auto = False,
    page: bool = True,
    progress: Progress | None = None,
    backend: Backend | None = None,
    observers: Sequence[Observer] = (),
) -> RunResult:
    """One run, from a checked configuration to a finished run directory.

    Args:
        config: the run: a checked RunConfig, the same as nested dictionaries, or the path of a TOML file.
        out: a new or empty directory, or any ``pyarrow.fs`` URI; with ``resume``, one that holds this run's beginning.
            Left out: the first of runs/run, runs/run-2, … that does not exist.
        config_dir: folder from which ``package.module:function`` names are imported, here and on the workers; a TOML
            file's own unless given.
        resume: continue at the unit the run stopped at; config, parent and data must be unchanged (``search/resume.py``
            says which keys may change). ``"auto"``: continue where a run has begun, else begin it, as a cluster
            needs that starts a failed job again. A finished run is handed back as it is, unless whether its exports
            give what it reports could not be checked: that is tried again.
        page: draw ``report.html``, a second of one core; ``evoray report`` draws it later.
        progress: draws what happens; one observer among others.
        backend: one from ``make_backend``, left open for the next run: its workers keep model, parent and shards.
        observers: told every event of the run (``runtime/events.py``); none of them can stop it.

    Raises:
        UsageError: configuration, data or parent cannot be used; nothing was written.
        RunError: the run stopped; what was finished is in its journal.
    """
    config, config_dir = _read(config, config_dir)
    directory = RunDirectory(str(out or free_path(Path("runs") / "run")))
    keeper = Keeper(directory, page)
    told: list[Observer] = [ShownProgress(progress or Progress()), MetricsFile(directory), keeper, *observers]
    if progress is None and in_notebook():
        told.append(Cell(shown_in_cell()))
    note = Observers(told).note
    resume = check_place(directory, resume)
    tracking.check(config.tracking, config_dir)
    if resume:
        config = _with_recorded(config, directory)
    note("checking the parent and the data")
    with NoExit(config_dir):
        inputs = check_inputs(config, config_dir)
    for line in (*inputs.notes, *inputs.said.trial):
        note(line)
    if resume:
        check_same(directory, inputs.config, inputs.identity())
        if is_finished(directory):
            if not (why := unchecked(directory.read_json("summary.json"))):
                note(f"{directory.location}: finished already, nothing to do")
                tidy(directory)
                return _finished(directory, page)
            note(f"{directory.location}: finished, but its exports were {why}; its end is done once more")
    with claimed(directory, note), keeper, tracking.tracked(config.tracking, directory, config_dir, note) as trackers:
        note(f"starting the {config.compute.backend} backend")
        opened, resolved = open_workers(inputs, backend, note)
        try:
            with open_session(directory, inputs, resolved, opened, [*told, *trackers], resume) as session:
                result = _run(session)
                if page:
                    write_page(directory)
                return result
        finally:
            if backend is None:
                opened.close()


def _read(config: RunConfig | Mapping[str, Any] | str | Path, config_dir: Path | None) -> tuple[RunConfig, Path | None]:
    if isinstance(config, str | Path):
        path, config = Path(expanded(str(config))), load_config(config)
        config_dir = config_dir or path.resolve().parent
    elif not isinstance(config, RunConfig):
        config = parse_config(dict(config), config_dir=config_dir)
    return config, config_dir and Path(os.path.abspath(config_dir))


def _run(session: Session) -> RunResult:
    """The story of a run: search on ``select``, choose, test once, write."""
    try:
        with NoExit(session.inputs.config_dir, RunError):
            session, sigma = choose_sigma(session)
            found = search(session)
            choices = choose(session, found)
            final = final_test(session, choices)
            guarded = test_guards(session, choices, final.recalibrated)
            session.journal.flush()
            result = write_results(session, found, choices, final, sigma, guarded)
    except BaseException as error:
        session.observers.emit(RunEnded(session.run_id, None, f"{type(error).__name__}: {error}"))
        raise
    session.observers.emit(RunEnded(session.run_id, result.verdict))
    return result


def _finished(directory: RunDirectory, page: bool) -> RunResult:
    if page and (not directory.exists("report.html") or is_growing(directory)):
        write_page(directory)
    return read_results(directory)


def _with_recorded(config: RunConfig, directory: RunDirectory) -> RunConfig:
    """What was measured when the run began is not measured again: another value would change last bits."""
    compute, found = config.compute, {}
    for key, fits, what in MEASURED:
        if given(getattr(compute, key)) is None:
            found[key] = (directory.read_json("config.json").get("compute") or {}).get(key)
            if not fits(found[key]):
                raise UsageError(
                    f"{directory.location}/config.json: damaged (compute.{key} is no {what}). {remedy_of(CONFIG)}"
                )
    return config.model_copy(update={"compute": compute.model_copy(update=found)}) if found else config
