"""``summary.json``: every figure that is reported is measured on ``test``."""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import torch

from evoray.evaluation.program import DTYPES
from evoray.mutation import apply_lineage
from evoray.results.final_test import Look
from evoray.results.lineages import buffers_file
from evoray.results.panel import Panel
from evoray.search import racing
from evoray.search.population import Judged, parent_total
from evoray.search.session import OpenRun
from evoray.statistics import Comparison, Share, compare, compare_blocks, corrected, correlation, verdict
from evoray.storage.directory import RECALIBRATED
from evoray.strategies import Ask


def make_summary(run: OpenRun, judged: Sequence[Judged], soup: Ask | None, best: Judged, look: Look) -> dict[str, Any]:
    """The whole document; see DESIGN and README for its keys."""
    panel, config = look.test, run.config
    tested = {name: panel.metrics(name).to_dict() for name in panel.names}
    primary = config.fitness.name if config.fitness.name in ("nll", "top1", "top5") else "fitness"
    comparisons = corrected(compare_all(run, panel, bool(soup)), primary)
    races = [line["racing"] for line in run.history if "racing" in line]
    return {
        "format": 1,
        "run_id": run.run_id,
        "seed": config.seed,
        "verdict": verdict(comparisons, primary=primary),
        "fitness": config.fitness.name,
        "splits": {name: run.inputs.splits.images(name) for name in ("select", "test")},
        "parent": {"select": look.select.metrics("parent").to_dict(), "test": tested["parent"]},
        "best_child": {"id": best.ask.name, **tested["best_child"]},
        "soup": {"id": soup.name if soup else "parent", "entries": len(soup.lineage.entries) if soup else 0}
        | tested["soup"],
        **_recalibrated(look, tested),
        "ensemble": _ensemble(run, look) | tested["ensemble"],
        "calibrated": _calibrated(look, tested),
        "reliability": {
            name: panel.reliability(name).to_dict() for name in panel.names if name in ("parent", "ensemble")
        },
        "comparisons": [comparison.to_dict() for comparison in comparisons],
        "children": children(run, judged, look),
        "mutation": {
            "n": run.inputs.space.n,
            "density": 1 / config.mutation.parts,
            "sigma": config.mutation.sigma,
            "vanished": vanished_share(run, best.ask),
            **({"sigma_chosen": run.chosen_sigma} if run.chosen_sigma else {}),
        },
        **({"racing": racing.summary(races)} if races else {}),
        "work": _work(run),
    }


def compare_all(run: OpenRun, panel: Panel, has_soup: bool) -> list[Comparison]:
    """Every candidate against the parent in NLL, accuracy and the fitness of the run."""
    names = ["best_child", *(["soup"] if has_soup else []), "ensemble"]
    names[-1:-1] = [RECALIBRATED] if RECALIBRATED in panel.names else []

    def right(name: str, places: int) -> np.ndarray:
        return (panel.column("rank", name) < places).astype(np.float64)

    found = [compare(name, "nll", panel.column("nll", name), panel.column("nll", "parent")) for name in names]
    found += [compare(name, "top1", right(name, 1), right("parent", 1)) for name in names]
    if run.fitness.name == "top5":
        found += [compare(name, "top5", right(name, 5), right("parent", 5)) for name in names]
    if panel.block_width:
        blocks = dict(zip(panel.names, panel.blocks(), strict=True))
        found += [compare_blocks(name, run.fitness.value, blocks[name], blocks["parent"]) for name in names]
    if "parent_calibrated" in panel.names:
        against = compare("ensemble", "nll", panel.column("nll", "ensemble"), panel.column("nll", "parent_calibrated"))
        found.append(replace(against, against="parent_calibrated"))
    return found


def _ensemble(run: OpenRun, look: Look) -> dict[str, Any]:
    panel = look.test
    return {
        "method": run.config.ensemble.method,
        "members": [{"id": member.name, "weight": member.weight} for member in panel.members],
        "curve": [
            {"size": size, "nll": one.nll, "top1": one.top1} for size, one in enumerate(panel.merged("curve"), start=1)
        ],
        "diversity": panel.diversity().to_dict(np.array([member.weight for member in panel.members])),
        "select_path": list(look.chosen.path),
        "temperature": dict(look.temperatures).get("ensemble"),
    }


def _recalibrated(look: Look, tested: dict[str, Any]) -> dict[str, Any]:
    """The soup with BatchNorm statistics of its own; empty where there are none."""
    if not look.recalibrated:
        return {}
    digest = hashlib.sha256(buffers_file(look.recalibrated)).hexdigest()
    return {RECALIBRATED: {"layers": len(look.recalibrated) // 2, "buffers_sha256": digest} | tested[RECALIBRATED]}


def _calibrated(look: Look, tested: dict[str, Any]) -> dict[str, Any]:
    """The parent at its own temperature and the ensemble without one; empty unless ``ensemble.temperature``."""
    if not look.temperatures:
        return {}
    return {
        "parent": {"temperature": dict(look.temperatures)["parent"], **tested["parent_calibrated"]},
        "ensemble_uncalibrated": tested["ensemble_uncalibrated"],
    }


def children(run: OpenRun, judged: Sequence[Judged], look: Look) -> dict[str, Any]:
    """Children better than the parent, with exact intervals, and what a place on ``select`` is worth on ``test``.

    ``select`` counts all children that were judged; a child's own images chose nothing about it. ``test`` counts the
    sample that was drawn by chance, so it is not flattered by choosing either.
    """
    value = run.fitness.value
    able = {one.ask.name: one.fitness for one in judged if one.ask.kind == "child" and math.isfinite(one.fitness)}
    bar = value(parent_total(run))
    tested = {name: value(total) for name, total in look.sample.items()}
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
        on_test = parent_on_test(run, look)
        result["parent"] = {"select": None if math.isnan(bar) else bar, "test": on_test}
        if on_test is not None:
            result["better_on_test"] = Share(sum(one > on_test for one in tested.values()), len(tested)).to_dict()
    return result


def parent_on_test(run: OpenRun, look: Look) -> float | None:
    """The parent's fitness on ``test``."""
    panel = look.test
    if panel.block_width:
        value = run.fitness.value(panel.blocks()[panel.names.index("parent")].sum(axis=0))
    else:
        metrics = panel.metrics("parent")
        value = {"nll": -metrics.nll, "top1": metrics.top1, "top5": metrics.top5}[run.fitness.name]
    return value if math.isfinite(value) else None


def vanished_share(run: OpenRun, child: Ask) -> float:
    """Share of a child's mutated weights that equal its base's, rounded to the type they are evaluated in."""
    space, dtype = run.inputs.space, DTYPES[run.config.compute.dtype]
    own = child.lineage.tail(child.base)
    flat = apply_lineage(space.flatten(run.inputs.state), space, child.base.entries)
    indices = np.unique(np.concatenate([entry.mutation.indices(space.n) for entry in own]))
    before = torch.from_numpy(flat[indices])
    after = torch.from_numpy(apply_lineage(flat, space, own)[indices])
    return float((before.to(dtype) == after.to(dtype)).double().mean())


def _work(run: OpenRun) -> dict[str, Any]:
    work, wall = run.backend.work, time.perf_counter() - run.started
    return {
        **asdict(work),
        "images": run.images,
        "wall_s": wall,
        "images_per_s": run.images / wall,
        "backend": run.config.compute.backend,
        "deterministic": run.config.compute.deterministic,
        "stages": dict(run.stages),
    }
