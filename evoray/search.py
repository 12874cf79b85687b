"""The generation loop: ask, evaluate on ``select``, tell; then the one look at ``test``, and the files of a run."""

from __future__ import annotations

import math
import signal
import threading
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from evoray.backends import Backend, Job
from evoray.config import RunConfig
from evoray.ensembles import Member, PanelUnit, top_k
from evoray.errors import RunError, UsageError
from evoray.evaluation import Candidate, ChildrenUnit, Program, is_valid
from evoray.fitness import COLUMNS, Fitness, make_fitness, merge_shards
from evoray.models import import_function
from evoray.mutation import Lineage
from evoray.preparation import Inputs, check_inputs, open_backend
from evoray.progress import Progress
from evoray.results import Judged, Panel, RunResult, write_results
from evoray.store import Journal, Key, RunDirectory, pack_arrays, unpack_arrays
from evoray.strategies import Ask, Round, make_strategy


def evolve(
    config: RunConfig,
    out: str | Path,
    *,
    config_dir: Path | None = None,
    resume: bool = False,
    progress: Progress | None = None,
) -> RunResult:
    """One run, from a checked configuration to a finished run directory.

    Args:
        config: the run; ``evoray.config.load_config`` reads one from TOML.
        out: a new or empty directory, or any ``pyarrow.fs`` URI; with ``resume``, one that holds this run's beginning.
        config_dir: folder from which ``package.module:function`` names are imported, here and on the workers.
        resume: continue at the unit the run stopped at; config, parent and data must be unchanged.

    Raises:
        UsageError: configuration, data or parent cannot be used; nothing was written.
        RunError: the run stopped; what was finished is in its journal.
    """
    progress = progress or Progress()
    directory = RunDirectory(str(out))
    _check_directory(directory, resume)
    progress.note("checking the parent and the data")
    inputs = check_inputs(config, config_dir)
    progress.note(f"starting the {config.compute.backend} backend")
    backend, inputs, program = open_backend(inputs)
    try:
        with _Run(directory, inputs, program, backend, progress, resume) as run:
            return run.go()
    finally:
        backend.close()


def _check_directory(directory: RunDirectory, resume: bool) -> None:
    names = directory.names()
    if resume and "config.json" not in names:
        raise UsageError(f"{directory.location}: no run to resume there (no config.json). Leave --resume out.")
    if not resume and names:
        what = "another run" if "config.json" in names else f"other files ({names[0]}, …)"
        raise UsageError(
            f"{directory.location}: holds {what}. Name a new directory with --out"
            + (", or continue that run with --resume." if "config.json" in names else ".")
        )


@dataclass(frozen=True)
class _Stage:
    """One round's rows as they come: float64 [candidates, shards, width], NaN until known."""

    rows: np.ndarray
    failures: dict[int, str]


class _Run:
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
        self.fitness: Fitness = make_fitness(
            inputs.config.fitness.name, lambda name: import_function(name, inputs.config_dir)
        )
        self.run_id = self._begin(resume)
        self.journal = Journal(directory)
        self.known: dict[Key, bytes] = self.journal.read() if resume else {}
        self.images = 0
        self.started = time.perf_counter()
        self.history: list[dict[str, Any]] = []

    def __enter__(self) -> _Run:
        return self

    def __exit__(self, *_: object) -> None:
        self.journal.flush()

    def go(self) -> RunResult:
        with _terminable():
            judged, soup = self._search()
            panel, on_select = self._last_look(judged, soup)
        self.journal.flush()
        return write_results(self, judged, soup, panel, on_select)

    def _begin(self, resume: bool) -> str:
        """Writes what identifies the run, or compares it with what a resumed run wrote."""
        config, identity = self.config.model_dump(mode="json"), self.inputs.identity()
        if not resume:
            run_id = uuid.uuid4().hex
            self.directory.write_json("space.json", self.inputs.space.to_json())
            self.directory.write_json("journal/identity.json", {"run_id": run_id, **identity})
            self.directory.write_json("config.json", config)
            return run_id
        before = {"config": self.directory.read_json("config.json")}
        before |= self.directory.read_json("journal/identity.json")
        run_id = str(before.pop("run_id"))
        for name, value in {"config": config, **identity}.items():
            if before.get(name) != value:
                raise UsageError(
                    f"{self.directory.location}: --resume refused, {_difference(name, before.get(name), value)}. "
                    "Resume with what the run started with, or start a new one with another --out."
                )
        return run_id

    def _search(self) -> tuple[list[Judged], Ask | None]:
        """All candidates in the order asked, with their merged sums on ``select``."""
        strategy = make_strategy(self.config)
        judged: list[Judged] = []
        while (asked := strategy.ask()) is not None:
            started = time.perf_counter()
            stage = self._evaluate(asked)
            fresh = [
                self._judge(ask, stage.rows[number], stage.failures.get(number))
                for number, ask in enumerate(asked.asks)
            ]
            strategy.tell([one.fitness for one in fresh])
            judged += fresh
            self._record(asked, fresh, time.perf_counter() - started)
        if not any(one.ask.kind == "child" and one.fitness > -math.inf for one in judged):
            raise RunError(
                f"every child failed ({judged[-1].status}). Lower mutation.sigma, or look at the fitness function."
            )
        return judged, strategy.soup

    def _evaluate(self, asked: Round) -> _Stage:
        """Every candidate of a round on every shard of ``select``: from the journal, or evaluated now."""
        shards = self.inputs.splits.shards("select")
        width = len(COLUMNS) + self.fitness.width
        stage = _Stage(np.full((len(asked.asks), len(shards), width), math.nan), {})
        name = f"g{asked.asks[-1].generation:04d}/{asked.asks[-1].kind}"
        column = {shard: position for position, shard in enumerate(shards)}
        work: dict[int, list[int]] = {shard: [] for shard in shards}
        for shard in shards:
            for number, ask in enumerate(asked.asks):
                payload = self.known.get((name, ask.name, shard))
                if payload is None:
                    work[shard].append(number)
                else:
                    stage.rows[number, column[shard]] = np.frombuffer(payload)

        def unit(shard: int, items: tuple[int, ...]) -> ChildrenUnit:
            asks = [asked.asks[item] for item in items]
            children = tuple(Candidate(ask.name, ask.lineage.tail(asked.base)) for ask in asks)
            return ChildrenUnit(asked.base, children, "select", shard)

        for shard, number, value, failure in self._outcomes(name, Job(work, unit)):
            if failure is not None:
                stage.failures[number] = failure
                continue
            stage.rows[number, column[shard]] = value
            self.images += int(value[0])
            self.journal.add((name, asked.asks[number].name, shard), value.tobytes())
        return stage

    def _outcomes(self, name: str, job: Job) -> Iterator[tuple[int, int, Any, str | None]]:
        self.progress.stage(name, sum(len(items) for items in job.work.values()))
        for outcome in self.backend.run(job):
            self.progress.advance(1)
            yield outcome.shard, outcome.item, outcome.value, outcome.failure

    def _judge(self, ask: Ask, rows: np.ndarray, failure: str | None) -> Judged:
        if failure is not None:
            return Judged(ask, None, -math.inf, failure)
        total = merge_shards(rows)
        if not is_valid(total):
            return Judged(ask, total, -math.inf, f"{int(total[3])} images with NaN or infinite outputs")
        value = self.fitness.value(total)
        if not math.isfinite(value):
            return Judged(ask, total, -math.inf, f"fitness is {value}")
        return Judged(ask, total, value, "ok")

    def _record(self, asked: Round, fresh: Sequence[Judged], seconds: float) -> None:
        finite = [one.fitness for one in fresh if one.fitness > -math.inf]
        self.history.append(
            {
                "generation": asked.asks[-1].generation,
                "kind": asked.asks[-1].kind,
                "candidates": len(fresh),
                "failed": len(fresh) - len(finite),
                "best_fitness": max(finite, default=None),
                "mean_fitness": float(np.mean(finite)) if finite else None,
                "wall_s": seconds,
            }
        )

    def _last_look(self, judged: Sequence[Judged], soup: Ask | None) -> tuple[Panel, Panel]:
        """The parent on ``select`` with its calibration; then parent, best, soup and ensemble on ``test``."""
        children = [one for one in judged if one.ask.kind == "child"]
        chosen = [children[i] for i in top_k([one.fitness for one in children], self.config.ensemble.size)]
        members = tuple(Member(one.ask.name, one.ask.lineage) for one in chosen)
        parent = ("parent", Lineage())
        named = (parent, ("best_child", members[0].lineage), ("soup", soup.lineage if soup else Lineage()))
        on_select = self._panel("panel/select", (parent,), (), "select")
        return self._panel("panel/test", named, members, "test"), on_select

    def _panel(
        self, name: str, named: tuple[tuple[str, Lineage], ...], members: tuple[Member, ...], split: str
    ) -> Panel:
        shards = self.inputs.splits.shards(split)
        found = {
            shard: unpack_arrays(self.known[name, "all", shard])
            for shard in shards
            if (name, "all", shard) in self.known
        }
        base = Lineage(members[0].lineage.entries[:-1]) if members else Lineage()

        def unit(shard: int, items: tuple[int, ...]) -> PanelUnit:
            return PanelUnit(base, named, members, split, shard)

        work = {shard: [0] for shard in shards if shard not in found}
        for shard, _, value, failure in self._outcomes(name, Job(work, unit)):
            if failure is not None:
                raise RunError(f"shard {shard} of {split} killed every worker that met it: {failure}")
            found[shard] = value
            self.images += len(value["index"]) * (len(named) + len(members))
            self.journal.add((name, "all", shard), pack_arrays(value))
        names = tuple(key for key, _ in named) + (("ensemble",) if members else ())
        return Panel(names, members, [found[shard] for shard in shards])


def _difference(name: str, before: Any, now: Any) -> str:
    """The first value that differs, by its dotted name."""
    if isinstance(before, dict) and isinstance(now, dict):
        for key in sorted(before.keys() | now.keys()):
            if before.get(key) != now.get(key):
                return _difference(f"{name}.{key}", before.get(key), now.get(key))
    return f"{name} was {before!r} and is {now!r}"


@contextmanager
def _terminable() -> Iterator[None]:
    """SIGTERM ends the run like Ctrl-C does: the journal is flushed on the way out."""

    def stop(*_: object) -> None:
        raise RunError("stopped by SIGTERM. What was finished is in the journal: go on with --resume.")

    in_main_thread = threading.current_thread() is threading.main_thread()
    previous = signal.signal(signal.SIGTERM, stop) if in_main_thread else None
    try:
        yield
    finally:
        if in_main_thread:
            signal.signal(signal.SIGTERM, previous)
