"""The mutation window (Whitaker & Whitley 2023): what children are worth, by the strength and density of a mutation.

All cells of one density share masks and noise, so that sigma alone differs along a row.
"""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from evoray.config import RunConfig
from evoray.data.schema import RECORDS, counted
from evoray.errors import ConfigError
from evoray.evaluation.settings import like_a_fresh_thread
from evoray.mutation import Lineage
from evoray.runtime.limits import EVALUATIONS
from evoray.runtime.origin import NoExit
from evoray.runtime.progress import Progress, ShownProgress
from evoray.runtime.reading import shown
from evoray.runtime.seeds import Stream, derive_seed
from evoray.search.inputs import Inputs, check_inputs
from evoray.search.session import Session, open_session
from evoray.search.stages import Part, StageKey
from evoray.search.subsets import evaluate_subset, some_of
from evoray.search.workers import open_workers
from evoray.storage.directory import RunDirectory
from evoray.storage.lock import check_free, check_makeable, claimed
from evoray.strategies import draw_mutation
from evoray.tasks.base import Task, as_dict
from evoray.tasks.sums import SumsLayout

SIGMAS = tuple(0.0125 * 2**power for power in range(8))
DENSITIES = (1.0, 0.32, 0.1, 0.032)
CHILDREN, SHARE = 12, 0.95
CELLS = 10_000


@like_a_fresh_thread()
def window(
    config: RunConfig,
    out: str | Path,
    *,
    sigmas: Sequence[float] = SIGMAS,
    densities: Sequence[float] = DENSITIES,
    children: int = CHILDREN,
    images: int | None = None,
    share: float = SHARE,
    config_dir: Path | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Sweeps sigma x density on ``select`` and writes ``window.json``; returns what is in it.

    Args:
        out: a new directory, one where this window was begun (it goes on), or a run of the same configuration.
        densities: of a mask; kind ``layered`` takes that share of a block.
        children: of each cell. images: of ``select``, all unless given. share: of the parent's accuracy that the
            widest sigma keeps, as the mean of its children.

    Raises:
        UsageError: as ``evolve``, or a sigma, density or share that means nothing.
    """
    progress = progress or Progress()
    parts = _checked(sigmas, densities, children, images, share)
    directory = RunDirectory(str(out))
    check_free(directory)
    check_makeable(directory)
    sparsest = config.mutation.with_disjoint(max(parts))  # a kind that cannot be swept is refused before work starts
    with NoExit(config_dir):
        inputs = check_inputs(config, config_dir)
    _check_fitness(inputs)
    if sparsest.disjoint > inputs.space.n:
        raise ConfigError(f"--densities {1 / max(parts):g}: less than one of the {inputs.space.n} weights.")
    with claimed(directory, progress.note):
        backend, resolved = open_workers(inputs, None, progress.note)
        try:
            resume = directory.exists("config.json")
            with open_session(directory, inputs, resolved, backend, [ShownProgress(progress)], resume) as session:
                drawn = _document(session, sorted(set(sigmas)), parts, children, images, share)
        finally:
            backend.close()
        return _written(directory, drawn)


def _check_fitness(inputs: Inputs) -> None:
    """Raises ConfigError where a user's function gives one number: children are compared with their parent by image."""
    if inputs.said.one_number:
        said = counted(
            "gives one number for many images, and a window compares children with their parent on single images. "
            "Return one score an image, or name a fitness that comes with EvoRay",
            inputs.splits.counted,
        )
        own = next(iter((*inputs.task.scored, *inputs.task.measures)), "nll")
        raise ConfigError(f"fitness.name = {inputs.fitness.name!r}: {said} for the window (--set fitness.name={own}).")


def _written(directory: RunDirectory, drawn: dict[str, Any]) -> dict[str, Any]:
    """``window.json`` and its picture; what a run chose by an earlier one stays in it."""
    if directory.exists("window.json"):
        before = directory.read_json("window.json")
        drawn |= {key: before[key] for key in ("chosen",) if key in before}
    directory.write_json("window.json", drawn)
    from evoray.report.window import picture  # matplotlib, only where something is drawn

    directory.write("window.svg", picture(drawn).encode())
    return drawn


def write_window(session: Session, parent: np.ndarray, cells: Sequence[dict[str, Any]], chosen: dict[str, Any]) -> None:
    """``window.json`` of a run that chose its sigma: what it looked at, and ``chosen``."""
    document = {**_head(session, parent), "cells": list(cells), "widest": [], "chosen": chosen}
    session.directory.write_json("window.json", document)


def _head(session: Session, parent: np.ndarray) -> dict[str, Any]:
    task, layout = session.inputs.task, session.fitness.layout
    figures = as_dict(layout.count(parent), task.figures(layout.by_name(parent)))
    return {
        "format": 1,
        "metric": main_figure(task),
        **({"counted": RECORDS} if session.inputs.splits.counted == RECORDS else {}),
        "images": figures["n"],
        "seed": session.config.seed,
        "scale": session.config.mutation.scale,
        "parent": {name: figures[name] for name in dict.fromkeys(("n", main_figure(task), task.scored[0]))},
    }


def _checked(
    sigmas: Sequence[float], densities: Sequence[float], children: int, images: int | None, share: float
) -> list[int]:
    """Parts of each density, descending density."""
    if not sigmas or any(not (math.isfinite(sigma) and sigma > 0) for sigma in sigmas):
        raise ConfigError(f"--sigmas {shown(list(sigmas))}: give positive numbers, such as 0.05 0.1 0.2.")
    if not densities or any(not 0 < density <= 1 for density in densities):
        raise ConfigError(
            f"--densities {shown(list(densities))}: give fractions from above 0 to 1, such as 1 0.1 0.01."
        )
    if len(sigmas) * len(densities) > CELLS:
        raise ConfigError(f"--sigmas, --densities: {len(sigmas)} x {len(densities)} cells, more than {CELLS}.")
    if min(densities) < 2**-31:
        raise ConfigError(f"--densities {min(densities)}: less than the smallest, {2**-31:.2g}.")
    if not 2 <= children <= EVALUATIONS // (len(sigmas) * len(densities)):
        raise ConfigError(
            f"--children {children}: a spread needs at least two, and all cells together at most {EVALUATIONS:,}."
        )
    if images is not None and images < 1:
        raise ConfigError(f"--images {images}: give at least one.")
    if not 0 < share <= 1:
        raise ConfigError(f"--share {share}: a fraction above 0, at most 1.")
    return sorted({round(1 / density) for density in densities})


def _document(
    session: Session, sigmas: Sequence[float], parts: Sequence[int], children: int, images: int | None, share: float
) -> dict[str, Any]:
    rows = session.splits.images_by_shard("select")
    subset = some_of(rows, images or sum(rows.values()))
    key = StageKey(f"window/{sum(subset.images.values())}", Part.WINDOW)
    cells = [(sigma, k) for k in parts for sigma in sigmas]
    plan = [("parent", Lineage())]
    plan += [
        (f"k{k}/s{sigma!r}/c{child:04d}", _child(session, sigma, k, child))
        for sigma, k in cells
        for child in range(children)
    ]
    sums = evaluate_subset(session, key, Lineage(), plan, subset)
    parent, *others = (sums.total(i) for i in range(len(plan)))
    assert parent is not None, "a parent that is given up ends the run"
    task = session.inputs.task
    masks = {k: session.config.mutation.with_disjoint(k).disjoint for k in parts}
    described = [
        describe_cell(task, sigma, masks[k], others[at * children : (at + 1) * children], parent)
        for at, (sigma, k) in enumerate(cells)
    ]
    main, layout = main_figure(task), session.fitness.layout
    bar = task.figures(layout.by_name(parent))[main].value
    widest = [_widest(described, masks[k], share, bar, task.measures[main].sign) for k in parts]
    return {**_head(session, parent), "cells": described, "widest": widest}


def _child(session: Session, sigma: float, parts: int, child: int) -> Lineage:
    alone = {"antithetic": False, "subspace": "dynamic"}
    mutation = session.config.mutation.with_disjoint(parts).model_copy(update=alone)
    seed = derive_seed(session.config.seed, Stream.WINDOW, parts)
    return Lineage().child(draw_mutation(mutation, sigma, seed, 0, child))


def main_figure(task: Task) -> str:
    """What a window shows: the first of the task's figures."""
    return next(iter(task.measures))


def describe_cell(
    task: Task, sigma: float, parts: float, totals: Sequence[np.ndarray | None], parent: np.ndarray
) -> dict[str, Any]:
    """Of one cell's children; one whose outputs are not finite, or that failed, has a share of what it got right."""
    layout, main, beside = SumsLayout(task.columns), main_figure(task), task.scored[0]
    measure = task.measures[main]
    figures = [None if one is None else task.figures(layout.by_name(one)) for one in totals]
    failed = 0.0 if measure.is_fraction else math.nan
    shown = np.array([failed if one is None else one[main].value for one in figures])
    shown = shown if measure.is_fraction else shown[np.isfinite(shown)]
    other = np.array([math.nan if one is None else one[beside].value for one in figures])
    known = other[np.isfinite(other)]
    bar = task.figures(layout.by_name(parent))[main].value
    ordered = measure.sign * shown
    some = len(shown) > 0  # a share is known of every child, another figure of those that did not fail
    return {
        "sigma": sigma,
        "density": 1 / parts,
        "parts": parts,
        "children": len(totals),
        "mean": float(shown.mean()) if some else None,
        "std": float(shown.std(ddof=1)) if len(shown) > 1 else None,
        "best": measure.sign * float(ordered.max()) if some else None,
        "worst": measure.sign * float(ordered.min()) if some else None,
        "median": float(np.median(shown)) if some else None,
        "share_better": float(np.sum(ordered > measure.sign * bar)) / len(totals),
        beside: {"mean": float(known.mean()), "best": float(known.min())} if len(known) else None,
    }


def _widest(cells: Sequence[dict[str, Any]], parts: float, share: float, parent: float, sign: int) -> dict[str, Any]:
    """The largest sigma up to which the mean child keeps the share; None where not even the smallest does."""
    widest = None
    for cell in sorted((one for one in cells if one["parts"] == parts), key=lambda one: float(one["sigma"])):
        kept = share * parent if sign > 0 else parent / share
        if cell["mean"] is None or sign * cell["mean"] < sign * kept:
            break
        widest = cell["sigma"]
    return {"density": 1 / parts, "sigma": widest, "share_kept": share}
