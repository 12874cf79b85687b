"""Runs a study: finished runs are skipped, an interrupted one goes on where it stopped."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from evoray.backends import Backend, make_backend
from evoray.config import ComputeConfig, RunConfig, parse_config
from evoray.errors import UsageError
from evoray.evolution import evolve
from evoray.runtime.auto import AUTO
from evoray.runtime.progress import Progress
from evoray.storage.directory import RunDirectory
from evoray.study.config import Side, StudyConfig
from evoray.study.outcome import Outcome, read_outcome
from evoray.study.plan import Case, Planned, cases

_RESOLVED = {"compute", "tracking"}
"""Sections whose ``"auto"`` values a run replaces before it writes them down; and one that changes no run."""


def run_study(
    study: StudyConfig, folder: Path, out: str, *, only: str = "*", dry: bool = False, progress: Progress | None = None
) -> Iterator[list[Outcome]]:
    """Runs what is missing, case by case, and yields all outcomes known so far after each of them.

    Args:
        folder: of the study's file; parents' files are relative to it.
        out: a directory or any ``pyarrow.fs`` URI; runs are ``PARENT/seedN/…`` below it.
        only: a pattern over ``PARENT/seedN``; other cases are read where they are finished, and not run.
        dry: run nothing, read what is there.

    Raises:
        UsageError: a run's directory holds a run of another study. Else what ``evolve`` raises.
    """
    progress = progress or Progress()
    planned, mine = list(cases(study, folder)), _matching(study, folder, only)
    progress.stage("runs", sum(case.runs() for case in mine), unit="runs")
    known = {case.name: _finished(case, out) for case in planned}
    with _Backends() as backends:
        for case in mine:
            if not dry:
                known[case.name] = _Runner(case, out, progress, backends).outcomes()
            yield [outcome for outcomes in known.values() for outcome in outcomes]


def unfinished(study: StudyConfig, folder: Path, out: str, only: str = "*") -> list[Case]:
    """The cases that ``run_study`` would have something to do for; raises what it raises of their directories."""
    return [
        case
        for case in _matching(study, folder, only)
        if len({outcome.run for outcome in _finished(case, out)}) < case.runs()
    ]


def _matching(study: StudyConfig, folder: Path, only: str) -> list[Case]:
    planned = list(cases(study, folder))
    mine = [case for case in planned if fnmatch(case.name, only)]
    if not mine:
        raise UsageError(f'"{only}" matches no case; there are {", ".join(case.name for case in planned[:6])}, …')
    return mine


def _finished(case: Case, out: str) -> list[Outcome]:
    return _Runner(case, out, Progress(), None).outcomes()


class _Backends:
    """One backend for all runs of one ``[compute]``: workers start once, and keep the parent and its shards."""

    def __init__(self) -> None:
        self._open: dict[ComputeConfig, Backend] = {}

    def __enter__(self) -> _Backends:
        return self

    def __exit__(self, *_: object) -> None:
        for backend in self._open.values():
            backend.close()

    def of(self, compute: ComputeConfig, config_dir: Path) -> Backend:
        if compute not in self._open:
            self._open[compute] = make_backend(compute, config_dir)
        return self._open[compute]


class _Runner:
    """One case's runs in order; without backends, only those that are finished."""

    def __init__(self, case: Case, out: str, progress: Progress, backends: _Backends | None) -> None:
        self._case, self._out, self._progress, self._backends = case, out.rstrip("/"), progress, backends
        self._seen: set[str] = set()

    def outcomes(self) -> list[Outcome]:
        grid = self._all(self._case.grid())
        found = self._all(self._case.reference()) + grid + self._all(self._case.sweep())
        if self._case.study.long is not None and len(grid) == len(self._case.grid()):
            found += self._all(self._case.long(self._chosen(grid)))
        return found

    def _chosen(self, grid: list[Outcome]) -> dict[Side, Planned]:
        """The setting of each side that did best on ``select``; the first of equals."""
        pairs = list(zip(self._case.grid(), grid, strict=True))
        sides: tuple[Side, ...] = ("sparse", "dense")
        return {
            side: max((pair for pair in pairs if pair[0].side == side), key=lambda pair: pair[1].select_fitness)[0]
            for side in sides
        }

    def _all(self, planned: list[Planned]) -> list[Outcome]:
        found = (self._one(one) for one in planned)
        return [outcome for outcome in found if outcome is not None]

    def _one(self, planned: Planned) -> Outcome | None:
        location = f"{self._out}/{planned.directory}"
        directory = RunDirectory(location)
        names = directory.names()
        finished = "summary.json" in names
        if "config.json" in names:
            _check_same(directory, planned.config)
        if not finished and self._backends is None:
            return None
        if not finished and self._backends is not None:
            self._progress.note(planned.directory)
            folder = self._case.path.resolve().parent
            evolve(
                planned.config,
                location,
                config_dir=folder,
                resume="config.json" in names,
                page=False,
                backend=self._backends.of(planned.config.compute, folder),
            )
        if planned.directory not in self._seen:
            self._seen.add(planned.directory)
            self._progress.advance(1)
        outcome = read_outcome(
            directory, parent=self._case.parent, role=planned.role, arm=planned.arm, side=planned.side
        )
        return replace(outcome, run=planned.directory)


def _check_same(directory: RunDirectory, config: RunConfig) -> None:
    """What is there was made by this study; what a run resolves by itself may differ."""
    # read as a configuration, so that a key which is newer than the run stands at its default
    stored = parse_config(directory.read_json("config.json"), directory.path("config.json"))
    before: dict[str, Any] = stored.model_dump(mode="json")
    for section, values in config.model_dump(mode="json").items():
        was = before.get(section)
        if section in _RESOLVED or _same(was, values):
            continue
        raise UsageError(
            f"{directory.location}: holds a run of another study, its {section} was {was} and is {values}. "
            "Name a new --out, or take the study's file back to what it was."
        )


def _same(was: Any, now: Any) -> bool:
    """A key that the run finds by itself may hold anything."""
    if isinstance(was, dict) and isinstance(now, dict):
        return was.keys() == now.keys() and all(now[key] == AUTO or was[key] == now[key] for key in now)
    return bool(was == now)
