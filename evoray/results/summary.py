"""``summary.json``: every figure that is reported is measured on ``test``."""

import hashlib
import math
import time
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import torch

from evoray.data.schema import IMAGES
from evoray.evaluation.program import DTYPES
from evoray.fitness import as_known
from evoray.mutation import apply_lineage, weighted_delta
from evoray.results.final_test import FinalTest
from evoray.results.lineages import buffers_file
from evoray.results.members import Choices
from evoray.results.panel import Panel
from evoray.search import racing
from evoray.search.announce import of_chance
from evoray.search.auto_sigma import ChosenSigma
from evoray.search.loop import Found
from evoray.search.session import Session
from evoray.statistics import Comparison, Share, compare, compare_blocks, corrected, correlation, verdict
from evoray.storage.directory import RECALIBRATED
from evoray.strategies import Ask
from evoray.tasks.base import Figures, Measure, finite_or_none
from evoray.tasks.sums import SumsLayout

COMPARED = 2
"""Figures of ``Task.scored`` that every run compares; the one that is its fitness is compared first."""


def make_summary(
    session: Session, found: Found, choices: Choices, final: FinalTest, sigma: ChosenSigma
) -> dict[str, Any]:
    """The whole document; see README for its keys."""
    panel, config, soup = final.test, session.config, choices.soup
    tested, measured = tested_figures(session, panel), measures(session, panel)
    primary = config.fitness.name if config.fitness.name in panel.task.scored else "fitness"
    comparisons = corrected(compare_all(session, panel, bool(soup)), primary)
    on_select = parent_on_select(session, choices, final)
    splits = session.inputs.splits
    said_of = measured | {"fitness": session.fitness.measure}
    warnings = [said] if (said := of_chance(on_select, session.inputs.classes, session.splits.counted)) else []
    return {
        "format": 1,
        "run_id": session.run_id,
        "seed": config.seed,
        "verdict": " ".join([verdict(comparisons, primary, said_of), *warnings]),
        "fitness": config.fitness.name,
        "measures": {name: asdict(one) | {"said": one.words} for name, one in measured.items()},
        "classes": session.inputs.classes.to_dict() if session.inputs.classes else None,
        "notes": [*session.inputs.notes, *choices.notes],
        "warnings": warnings,
        **({"counted": splits.counted} if splits.counted != IMAGES else {}),
        "splits": {name: session.inputs.splits.images(name) for name in ("select", "test")},
        "parent": {"select": on_select, "test": tested["parent"]},
        "best_child": {"id": choices.best.ask.name, **tested["best_child"]},
        "soup": {"id": soup.name if soup else "parent", "entries": len(soup.lineage.entries) if soup else 0}
        | tested["soup"],
        **_recalibrated(final, tested),
        **({"ensemble": _ensemble(session, choices, final) | tested["ensemble"]} if panel.members else {}),
        "calibrated": _calibrated(final, tested),
        "reliability": {
            name: panel.reliability(name).to_dict()
            for name in panel.names
            if name in ("parent", "ensemble") and panel.task.classification is not None
        },
        "comparisons": [comparison.to_dict() for comparison in comparisons],
        "children": children(session, choices, final),
        "mutation": {
            "n": session.inputs.space.n,
            "density": 1 / config.mutation.disjoint,
            "sigma": config.mutation.one_sigma,
            "vanished": vanished_share(session, choices.best.ask),
            **({"sigma_chosen": sigma} if sigma else {}),
            **config.mutation.summary,
        },
        **({"racing": racing.summary(found.races)} if found.races else {}),
        "work": _work(session),
    }


def measures(session: Session, panel: Panel) -> dict[str, Measure]:
    """What every figure of the summary measures: the run's fitness first, then the task's and those of the test."""
    fitness, evaluated = session.fitness, panel.task.evaluated(panel.records("parent"))
    figures = {**panel.task.measures, **{name: one.measure for name, one in evaluated.items()}}
    return {fitness.name: figures.get(fitness.name, fitness.measure), **figures}


def tested_figures(session: Session, panel: Panel) -> dict[str, dict[str, float | int | None]]:
    """Every network's figures on ``test``; the run's fitness among them, in its own direction (a cost is positive)."""
    tested = {name: panel.figures(name) for name in panel.names}
    if panel.block_width:
        for name, blocks in zip(panel.names, panel.blocks(), strict=True):
            _add_fitness(session, tested[name], session.fitness.value(blocks.sum(axis=0)))
    return tested


def parent_on_select(session: Session, choices: Choices, final: FinalTest) -> dict[str, float | int | None]:
    """The same of the parent on ``select``."""
    figures = final.select.figures("parent")
    _add_fitness(session, figures, session.fitness.value(choices.parent_total))
    return figures


def _add_fitness(session: Session, figures: dict[str, float | int | None], value: float) -> None:
    if session.fitness.name not in figures:
        figures[session.fitness.name] = as_known(session.fitness, value) if math.isfinite(value) else None


def compare_all(session: Session, panel: Panel, has_soup: bool) -> list[Comparison]:
    """Every candidate against the parent: in the fitness of the run, and in the task's first figures."""
    alone = not any(member.lineage.entries for member in panel.members)  # the parent, where every vote was worse
    names = ["best_child", *(["soup"] if has_soup else []), RECALIBRATED, *([] if alone else ["ensemble"])]
    names = [name for name in names if name in panel.names]
    task, scores = panel.task, {name: panel.compared(name) for name in panel.names}

    def against(other: str, figure: str, name: str) -> Comparison:
        measure = task.measures[figure]
        values = scores[name][figure], scores[other][figure]
        # each record's own fraction may be any, such as of its labels or pixels that are right
        shares = measure.is_fraction and bool(np.isin(values, (0, 1)).all())
        return compare(name, figure, *values, shares=shares, higher_is_better=measure.higher_is_better)

    own = [session.fitness.name] if session.fitness.name in task.scored else []
    figures = dict.fromkeys([*own, *task.scored[:COMPARED]])
    found = [against("parent", figure, name) for figure in figures for name in names]
    if panel.block_width:
        blocks, layout = dict(zip(panel.names, panel.blocks(), strict=True)), session.fitness.layout
        records = layout.column(blocks["parent"], "n")
        value = session.fitness.value
        found = [compare_blocks(name, value, blocks[name], blocks["parent"], records) for name in names] + found
    if "parent_calibrated" in panel.names:
        one = against("parent_calibrated", task.scored[0], "ensemble")
        found.append(replace(one, against="parent_calibrated"))
    return found


def _ensemble(session: Session, choices: Choices, final: FinalTest) -> dict[str, Any]:
    panel = final.test
    return {
        "method": session.config.ensemble.method,
        "members": [{"id": member.name, "weight": member.weight} for member in panel.members],
        "curve": [
            {"size": size} | {name: finite_or_none(figures[name].value) for name in panel.task.scored[:COMPARED]}
            for size, figures in enumerate(_curve(panel), start=1)
        ],
        "diversity": panel.diversity().to_dict(np.array([member.weight for member in panel.members])),
        "select_path": list(choices.path),
        "temperature": dict(final.temperatures).get("ensemble"),
    }


def _curve(panel: Panel) -> list[Figures]:
    """Of the ensemble after each member."""
    layout = SumsLayout(panel.task.columns)
    return [panel.task.figures(layout.by_name(total)) for total in panel.merged("curve")]


def _recalibrated(final: FinalTest, tested: dict[str, Any]) -> dict[str, Any]:
    """The soup with BatchNorm statistics of its own; empty where there are none."""
    if not final.recalibrated:
        return {}
    digest = hashlib.sha256(buffers_file(final.recalibrated)).hexdigest()
    return {RECALIBRATED: {"layers": len(final.recalibrated) // 2, "buffers_sha256": digest} | tested[RECALIBRATED]}


def _calibrated(final: FinalTest, tested: dict[str, Any]) -> dict[str, Any]:
    """The parent at its own temperature and the ensemble without one; empty unless ``ensemble.temperature``."""
    if not final.temperatures:
        return {}
    return {
        "parent": {"temperature": dict(final.temperatures)["parent"], **tested["parent_calibrated"]},
        "ensemble_uncalibrated": tested["ensemble_uncalibrated"],
    }


def children(session: Session, choices: Choices, final: FinalTest) -> dict[str, Any]:
    """Children better than the parent, with exact intervals, and what a place on ``select`` is worth on ``test``.

    ``select`` counts all children that were evaluated; a child's own images chose nothing about it. ``test`` counts the
    sample that was drawn by chance, so it is not flattered by choosing either.
    """
    value = session.fitness.value
    able = {
        one.ask.name: one.fitness for one in choices.evaluated if one.ask.kind == "child" and math.isfinite(one.fitness)
    }
    bar = value(choices.parent_total)
    tested = {name: value(total) for name, total in final.sample.items()}
    result: dict[str, Any] = {
        "better_on_select": Share(sum(one > bar for one in able.values()), len(able)).to_dict(),
        "sample": [
            {"id": name, "select": able[name], "test": found if math.isfinite(found) else None}
            for name, found in tested.items()
        ],
        "select_test": correlation(
            np.array([able[name] for name in tested]), np.array(list(tested.values()), dtype=np.float64)
        ),
    }
    if tested:
        on_test = parent_on_test(session, final)
        result["parent"] = {"select": None if math.isnan(bar) else bar, "test": on_test}
        if on_test is not None:
            result["better_on_test"] = Share(sum(one > on_test for one in tested.values()), len(tested)).to_dict()
    return result


def parent_on_test(session: Session, final: FinalTest) -> float | None:
    """The parent's fitness on ``test``."""
    panel = final.test
    if panel.block_width:
        value = session.fitness.value(panel.blocks()[panel.names.index("parent")].sum(axis=0))
    else:
        figure = panel.task.evaluated(panel.records("parent"))[session.fitness.name]
        value = figure.measure.sign * figure.value
    return value if math.isfinite(value) else None


def vanished_share(session: Session, child: Ask) -> float:
    """Share of a child's mutated weights that equal its base's, rounded to the type they are evaluated in; 0 for
    the parent itself, which changes none."""
    space, dtype = session.inputs.space, DTYPES[session.config.compute.dtype]
    own = child.lineage.tail(child.base)
    if not own:
        return 0.0
    flat = apply_lineage(space.flatten(session.inputs.state), space, child.base.entries)
    indices = np.unique(np.concatenate([weighted_delta(space, entry)[0] for entry in own]))
    before = torch.from_numpy(flat[indices])
    after = torch.from_numpy(apply_lineage(flat, space, own)[indices])
    return float((before.to(dtype) == after.to(dtype)).double().mean())


def _work(session: Session) -> dict[str, Any]:
    work, wall = session.backend.work, time.perf_counter() - session.tally.started
    return {
        **asdict(work),
        "images": session.tally.images,
        "passes_saved": work.images - work.passes,
        "wall_s": wall,
        "images_per_s": session.tally.images / wall,
        "backend": session.config.compute.backend,
        "deterministic": session.config.compute.deterministic,
        "stages": dict(session.tally.seconds),
    }
