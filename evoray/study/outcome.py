"""What a finished run contributes to the study's tables, read from its directory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from evoray.errors import UsageError
from evoray.runtime.reading import parse_json, translated
from evoray.statistics import Comparison
from evoray.storage.directory import RunDirectory
from evoray.storage.documents import REMEDY

METRICS_BYTES = 64 * 2**20
NETWORKS = ("best_child", "soup", "ensemble")


@dataclass(frozen=True)
class Window:
    """A generation's children against their parent on ``select``: NLL minus the parent's, in nats."""

    mean: float
    spread: float
    best: float
    better: float
    """Share of the children with a lower NLL than their parent."""
    children: int
    failed: int


@dataclass(frozen=True)
class Outcome:
    """One run. ``nll`` and ``top1`` are of the parent and NETWORKS, on ``test``."""

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
    nll: Mapping[str, float]
    top1: Mapping[str, float]
    comparisons: Mapping[str, Mapping[str, Comparison]]
    """Metric -> network -> its paired comparison with the parent."""
    curve: tuple[float, ...]
    """The best fitness on ``select`` after each generation."""
    window: Window | None
    images: int
    seconds: float
    run: str = field(default="", compare=False)

    def difference(self, network: str, metric: str = "nll") -> float:
        """Network minus parent on the test images."""
        return self.comparisons[metric][network].difference if network in self.comparisons[metric] else 0.0

    def to_dict(self) -> dict[str, Any]:
        """JSON's form."""
        values = dict(vars(self))
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
    tested = {"parent": summary["parent"]["test"], **{name: summary[name] for name in NETWORKS}}
    comparisons: dict[str, dict[str, Comparison]] = {"nll": {}, "top1": {}}
    for values in summary["comparisons"]:
        one = Comparison.from_dict(values)
        if one.metric in comparisons and one.name in NETWORKS:
            comparisons[one.metric][one.name] = one
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
        nll={name: float(values["nll"]) for name, values in tested.items()},
        top1={name: float(values["top1"]) for name, values in tested.items()},
        comparisons=comparisons,
        curve=curve,
        window=_window(directory, float(summary["parent"]["select"]["nll"])) if generations == 1 else None,
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


def _window(directory: RunDirectory, parent_nll: float) -> Window:
    table = directory.read_table("population.parquet")
    status = np.array(table["status"].to_pylist())
    nll = np.array(table["select_nll"].to_pylist(), dtype=np.float64)
    change = nll[status == "ok"] - parent_nll
    return Window(
        mean=float(change.mean()),
        spread=float(change.std(ddof=1)) if len(change) > 1 else 0.0,
        best=float(change.min()),
        better=float((change < 0).mean()),
        children=len(nll),
        failed=int((status != "ok").sum()),
    )
