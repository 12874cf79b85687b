"""The generation loop: ask, judge on ``select``, tell; then the one look at ``test``, and the files of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from evoray.backends import Backend
from evoray.config import RunConfig, load_config, parse_config
from evoray.errors import UsageError
from evoray.results.final_test import last_look
from evoray.results.members import choose_members, final_soup, fittest
from evoray.results.write import RunResult, read_results, write_page, write_results
from evoray.runtime.progress import Progress
from evoray.search.inputs import check_inputs
from evoray.search.loop import search
from evoray.search.population import Judged, parent_total
from evoray.search.resume import check_same, is_begun, is_finished
from evoray.search.session import OpenRun
from evoray.search.workers import open_backend
from evoray.storage.directory import RunDirectory, free_path
from evoray.strategies import Ask


def evolve(
    config: RunConfig | Mapping[str, Any] | str | Path,
    out: str | Path | None = None,
    *,
    config_dir: Path | None = None,
    resume: bool | Literal["auto"] = False,
    page: bool = True,
    progress: Progress | None = None,
    backend: Backend | None = None,
) -> RunResult:
    """One run, from a checked configuration to a finished run directory.

    Args:
        config: the run: a checked RunConfig, the same as nested dictionaries, or the path of a TOML file.
        out: a new or empty directory, or any ``pyarrow.fs`` URI; with ``resume``, one that holds this run's beginning.
            Left out: the first of runs/run, runs/run-2, … that does not exist.
        config_dir: folder from which ``package.module:function`` names are imported, here and on the workers; a TOML
            file's own unless given.
        resume: continue at the unit the run stopped at; config, parent and data must be unchanged (see ``resuming``
            for the keys that may change). ``"auto"``: continue where a run has begun, else begin it, as a cluster
            needs that starts a failed job again. A finished run is handed back as it is.
        page: draw ``report.html``, a second of one core; ``evoray report`` draws it later.
        backend: one from ``make_backend``, left open for the next run: its workers keep model, parent and shards.

    Raises:
        UsageError: configuration, data or parent cannot be used; nothing was written.
        RunError: the run stopped; what was finished is in its journal.
    """
    if isinstance(config, str | Path):
        config_dir = config_dir or Path(config).resolve().parent
        config = load_config(config)
    elif not isinstance(config, RunConfig):
        config = parse_config(dict(config))
    progress = progress or Progress()
    directory = RunDirectory(str(out or free_path(Path("runs") / "run")))
    resume = _check_directory(directory, resume)
    if resume:
        config = _with_recorded(config, directory)
    progress.note("checking the parent and the data")
    inputs = check_inputs(config, config_dir)
    if resume:
        check_same(directory, inputs)
        if is_finished(directory):
            progress.note(f"{directory.location}: finished already, nothing to do")
            if page and not directory.exists("report.html"):
                write_page(directory)
            return read_results(directory)
    progress.note(f"starting the {config.compute.backend} backend")
    opened, inputs, program = open_backend(inputs, backend, progress.note)
    try:
        with OpenRun(directory, inputs, program, opened, progress, resume) as run:
            return finish(run, *search(run), page=page)
    finally:
        if backend is None:
            opened.close()


def _with_recorded(config: RunConfig, directory: RunDirectory) -> RunConfig:
    """What was measured when the run began is not measured again: another value would change last bits."""
    compute = config.compute
    if compute.batch_size != "auto":
        return config
    recorded = directory.read_json("config.json")["compute"]["batch_size"]
    return config.model_copy(update={"compute": compute.model_copy(update={"batch_size": recorded})})


def _check_directory(directory: RunDirectory, resume: bool | Literal["auto"]) -> bool:
    """Whether to resume; refuses a directory that is in use, or one without a run to resume."""
    begun = is_begun(directory)
    if resume == "auto":
        resume = begun
    if resume and not begun:
        raise UsageError(f"{directory.location}: no run to resume there (no config.json). Leave --resume out.")
    # a run that was stopped while it wrote its first files has not begun
    names = set(directory.names()) - {"journal", "space.json"}
    if not resume and names:
        what = "another run" if begun else f"other files ({min(names)}, …)"
        raise UsageError(
            f"{directory.location}: holds {what}. Name a new directory with --out"
            + (", or continue that run with --resume." if begun else ".")
        )
    return resume


def finish(run: OpenRun, judged: Sequence[Judged], soup: Ask | None, *, page: bool = True) -> RunResult:
    """From judged children (at least one of which did not fail) and the strategy's soup to a run directory."""
    (best,) = fittest(judged, 1)
    chosen = choose_members(run, judged)
    soup = final_soup(run, judged, soup, chosen.members)
    parent_total(run)  # known from here on, also where no strategy asked for it: soon no one can be judged
    look = last_look(run, judged, soup, best, chosen)
    run.journal.flush()
    result = write_results(run, judged, soup, best, look)
    if page:
        write_page(run.directory)
    return result
