"""What a finished run contributes to the study's tables, read from its directory."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from evoray.errors import UsageError
from evoray.report.finished_run import Run
from evoray.report.measures import ShownMeasure
from evoray.runtime.reading import parse_json, translated
from evoray.statistics import Comparison
from evoray.storage.directory import RunDirectory
from evoray.storage.documents import REMEDY

METRICS_BYTES = 64 * 2**20
NETWORKS = ("best_child", "soup", "ensemble")


@dataclass(frozen=True)
class Window:
    """A generation's children against their parent on ``select``: the run's fitness minus the parent's."""

    mean: float
    spread: float
    best: float
    better: float
    """Share of the children that are better than their parent."""
    children: int
    failed: int


@dataclass(frozen=True)
class Outcome:
    """One run.

    measure: the run's fitness; beside: another figure in which networks were compared, where there is one.
    tested: the key of either -> the parent and NETWORKS -> their figure on ``test``, in the measure's own direction.
    """

    parent: str
    seed: int
    role: str
    arm: str
    side: str
    parts: int
    sigma: float
    generations: int
    evaluations: int
    """Candidates evaluated on ``select``: children, soups and the parent."""
    select_fitness: float
    """The best that any candidate had on ``select``; what settings are chosen by."""
    measure: ShownMeasure
    beside: ShownMeasure | None
    tested: Mapping[str, Mapping[str, float]]
    comparisons: Mapping[str, Mapping[str, Comparison]]
    """The key of either measure -> network -> its paired comparison with the parent."""
    curve: tuple[float, ...]
    """The best fitness on ``select`` after each generation."""
    window: Window | None
    images: int
    seconds: float
    run: str = field(default="", compare=False)

    @property
    def fitness(self) -> Mapping[str, float]:
        """The run's fitness of each network on ``test``."""
        return self.tested[self.measure.key]

    @property
    def others(self) -> Mapping[str, float]:
        """The figure beside it; empty where there is none."""
        return self.tested[self.beside.key] if self.beside else {}

    @property
    def compared(self) -> Mapping[str, Comparison]:
        """Networks with the parent, in the run's fitness."""
        return self.comparisons[self.measure.key]

    def difference(self, network: str, measure: ShownMeasure | None = None) -> float:
        """Network minus parent on the test images, in the run's fitness unless another measure is given."""
        found = self.comparisons[(measure or self.measure).key]
        return found[network].difference if network in found else 0.0

    def to_dict(self) -> dict[str, Any]:
        """JSON's form."""
        values: dict[str, Any] = {**vars(self), **self.tested}
        values |= {"measure": self.measure.key, "beside": self.beside.key if self.beside else None}
        del values["tested"]
        values["comparisons"] = [one.to_dict() for by_name in self.comparisons.values() for one in by_name.values()]
        values["window"] = None if self.window is None else vars(self.window)
        return values


def read_outcome(directory: RunDirectory, *, parent: str, role: str, arm: str, side: str) -> Outcome:
    """From ``summary.json``, ``config.json``, ``metrics.jsonl`` and ``population.parquet`` of a finished run.

    Raises:
        UsageError: one of them is damaged, or of a run that is none of a study.
    """
    with translated(directory.location, f"It is read as a run of the study. {REMEDY}", UsageError):
        return _outcome(directory, parent=parent, role=role, arm=arm, side=side)


def _outcome(directory: RunDirectory, *, parent: str, role: str, arm: str, side: str) -> Outcome:
    summary, config = directory.read_json("summary.json"), directory.read_json("config.json")
    written = directory.read("metrics.jsonl", METRICS_BYTES).decode().splitlines()
    lines = [parse_json(line, directory.path("metrics.jsonl"), UsageError) for line in written]
    run = Run(summary, [])
    shown = [one for one in (run.main, run.beside) if one]
    networks = [name for name in NETWORKS if name in run.networks]
    tested = {one.key: {name: _figure(run, name, one) for name in ("parent", *networks)} for one in shown}
    compared = {one.key: {name: run.comparison(name, one.key) for name in networks} for one in shown}
    comparisons = {key: {name: one for name, one in by.items() if one} for key, by in compared.items()}
    generations = int(config["search"]["generations"])
    curve = _curve(lines, generations)
    return Outcome(
        parent=parent,
        seed=int(config["seed"]),
        role=role,
        arm=arm,
        side=side,
        parts=int(config["mutation"]["parts"]),
        sigma=float(summary["mutation"]["sigma"]),
        generations=generations,
        evaluations=sum(int(line["candidates"]) for line in lines),
        select_fitness=curve[-1],
        measure=run.main,
        beside=run.beside,
        tested=tested,
        comparisons=comparisons,
        curve=curve,
        window=_window(directory, run) if generations == 1 else None,
        images=int(summary["work"]["images"]),
        seconds=float(summary["work"]["wall_s"]),
        run=directory.location,
    )


def _curve(lines: list[dict[str, Any]], generations: int) -> tuple[float, ...]:
    best = [
        max(line["best_fitness"] for line in lines if line["generation"] <= g and line["best_fitness"] is not None)
        for g in range(generations)
    ]
    return tuple(map(float, best))


def _figure(run: Run, network: str, measure: ShownMeasure) -> float:
    value = run.test(network, measure.key)
    return math.nan if value is None else float(value)


def _window(directory: RunDirectory, run: Run) -> Window:
    table, measure = directory.read_table("population.parquet"), run.main
    status = np.array(table["status"].to_pylist())
    own = f"select_{measure.key}"
    known = table[own if own in table.column_names else "select_fitness"]
    values = np.array(known.to_pylist(), dtype=np.float64) * (1 if own in table.column_names else measure.sign)
    parent = run.parent_on_select(measure)
    change = values[status == "ok"] - (math.nan if parent is None else parent)
    return Window(
        mean=float(change.mean()),
        spread=float(change.std(ddof=1)) if len(change) > 1 else 0.0,
        best=float(change.max() if measure.higher_is_better else change.min()),
        better=float((measure.sign * change > 0).mean()),
        children=len(values),
        failed=int((status != "ok").sum()),
    )
