"""From judged children and the panel to the files of a run directory."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import torch

from evoray import racing
from evoray.evaluation import DTYPES
from evoray.fitness import Metrics, metrics_of
from evoray.judging import Judged
from evoray.last_look import Panel, logits_files
from evoray.models import state_bytes
from evoray.mutation import Lineage, apply_lineage, lineage_document
from evoray.running import OpenRun
from evoray.statistics import compare, verdict
from evoray.store import RunDirectory
from evoray.strategies import Ask

SMALL_PARENT_BYTES = 64 * 2**20
"""A parent up to this size is kept in the run directory, so that it stands alone."""


@dataclass(frozen=True)
class RunResult:
    """What a run found; everything here is also in its directory."""

    directory: RunDirectory
    summary: dict[str, Any]
    population: pa.Table = field(repr=False)

    @property
    def verdict(self) -> str:
        return str(self.summary["verdict"])


def write_results(
    run: OpenRun, judged: Sequence[Judged], soup: Ask | None, panel: Panel, on_select: Panel
) -> RunResult:
    """Writes lineages, tables and summary; ``summary.json`` comes last."""
    directory = run.directory
    population = population_table(judged, panel)
    write_lineages(run, judged, soup, panel)
    summary = make_summary(run, judged, soup, panel, on_select)
    directory.write_table("population.parquet", population)
    directory.write_table("predictions.parquet", predictions_table(panel))
    directory.write_json("ensemble.json", summary["ensemble"] | {"logits": logits_files(run, panel)})
    directory.write("metrics.jsonl", "".join(json.dumps(line) + "\n" for line in run.history).encode())
    directory.write_json("summary.json", summary)
    return RunResult(directory, summary, population)


def write_page(directory: RunDirectory) -> str:
    """Draws ``report.html`` from the other files; returns its path."""
    from evoray.report import render  # matplotlib, only where a page is drawn

    page = render(
        directory.read_json("summary.json"),
        directory.read_json("config.json"),
        directory.read_table("population.parquet"),
    )
    directory.write("report.html", page.encode())
    return directory.path("report.html")


def population_table(judged: Sequence[Judged], panel: Panel) -> pa.Table:
    """A row a child, ranked over the whole run (1 is best, failures last, ties by age)."""
    children = [one for one in judged if one.ask.kind == "child"]
    order = sorted(range(len(children)), key=lambda i: -children[i].fitness)
    rank = {child: place + 1 for place, child in enumerate(order)}
    tested = dict(zip((m.name for m in panel.members), panel.merged("members"), strict=True))
    rows = [_child_row(one, rank[i], tested.get(one.ask.name)) for i, one in enumerate(children)]
    return pa.Table.from_pylist(rows, schema=_POPULATION)


_METRIC_FIELDS = [("n", pa.int64()), ("top1", pa.float64()), ("top5", pa.float64()), ("nll", pa.float64())]
_POPULATION = pa.schema(
    [
        ("child_id", pa.string()),
        ("generation", pa.int64()),
        ("child", pa.int64()),
        ("mask_seed", pa.uint64()),
        ("parts", pa.int64()),
        ("part", pa.int64()),
        ("noise_seed", pa.uint64()),
        ("sigma", pa.float64()),
        ("sign", pa.int8()),
        ("entries", pa.string()),
        *((f"select_{name}", kind) for name, kind in _METRIC_FIELDS),
        ("select_fitness", pa.float64()),
        *((f"test_{name}", kind) for name, kind in _METRIC_FIELDS),
        ("rank", pa.int64()),
        ("status", pa.string()),
    ]
)


def _child_row(one: Judged, rank: int, tested: Metrics | None) -> dict[str, Any]:
    own = one.ask.lineage.tail(one.ask.base)
    row: dict[str, Any] = {
        "child_id": one.ask.name,
        "generation": one.ask.generation,
        "child": int(one.ask.name.rpartition("/c")[2]),
        "rank": rank,
        "status": one.status,
        "select_fitness": one.fitness if np.isfinite(one.fitness) else None,
    }
    for key in ("mask_seed", "parts", "part", "noise_seed", "sigma", "sign"):
        found = {getattr(entry.mutation, key) for entry in own}
        row[key] = found.pop() if len(found) == 1 else None
    if len(own) > 1:  # a child that is more than one mutation of its base, as JSON like in a lineage file
        row["entries"] = json.dumps(Lineage(own).to_json())
    for split, metrics in (
        ("select", None if one.total is None else metrics_of(one.total)),
        ("test", tested),
    ):
        if metrics is not None:
            values = metrics.to_dict()
            row |= {f"{split}_{name}": values[name] for name, _ in _METRIC_FIELDS}
    return row


def predictions_table(panel: Panel) -> pa.Table:
    """Test images in order: index, label, and the ensemble's likeliest classes with their probabilities."""
    classes, probability = panel.images("classes"), panel.images("probability")
    width = classes.shape[1]
    return pa.table(
        {
            "index": pa.array(panel.images("index"), pa.int64()),
            "label": pa.array(panel.images("label"), pa.int64()),
            "classes": pa.FixedSizeListArray.from_arrays(pa.array(classes.ravel(), pa.int32()), width),
            "probabilities": pa.FixedSizeListArray.from_arrays(pa.array(probability.ravel(), pa.float32()), width),
        }
    )


def write_lineages(run: OpenRun, judged: Sequence[Judged], soup: Ask | None, panel: Panel) -> None:
    """A lineage file for the parent, the best child, the soup, every member, and each generation's base."""
    best = panel.members[0].lineage
    lineages = {"parent": Lineage(), "best": best, "soup": soup.lineage if soup else Lineage()}
    lineages |= {member.name: member.lineage for member in panel.members}
    for one in judged:
        if one.ask.kind == "child":
            lineages[f"bases/g{one.ask.generation:04d}"] = one.ask.base
    inputs = run.inputs
    for name, lineage in lineages.items():
        document = lineage_document(inputs.parent.name, inputs.state, inputs.space, lineage, aliases=inputs.aliases)
        run.directory.write_json(f"lineage/{name}.json", document)
    if sum(tensor.nbytes for tensor in inputs.state.values()) <= SMALL_PARENT_BYTES:
        run.directory.write("parent.safetensors", state_bytes(inputs.state))


def vanished_share(run: OpenRun, child: Ask) -> float:
    """Share of a child's mutated weights that equal its base's, rounded to the type they are evaluated in."""
    space, dtype = run.inputs.space, DTYPES[run.config.compute.dtype]
    own = child.lineage.tail(child.base)
    flat = apply_lineage(space.flatten(run.inputs.state), space, child.base.entries)
    indices = np.unique(np.concatenate([entry.mutation.indices(space.n) for entry in own]))
    before = torch.from_numpy(flat[indices])
    after = torch.from_numpy(apply_lineage(flat, space, own)[indices])
    return float((before.to(dtype) == after.to(dtype)).double().mean())


def make_summary(
    run: OpenRun, judged: Sequence[Judged], soup: Ask | None, panel: Panel, on_select: Panel
) -> dict[str, Any]:
    """``summary.json``: every figure that is reported is measured on ``test``."""
    tested = {name: panel.metrics(name).to_dict() for name in panel.names}
    names = [name for name in ("best_child", "soup", "ensemble") if name != "soup" or soup]
    comparisons = [
        compare(name, metric, part(name), part("parent"))
        for metric, part in (
            ("nll", lambda key: panel.column("nll", key)),
            ("top1", lambda key: (panel.column("rank", key) < 1).astype(np.float64)),
        )
        for name in names
    ]
    best = max((one for one in judged if one.ask.kind == "child"), key=lambda one: one.fitness)
    work = run.backend.work
    wall = time.perf_counter() - run.started
    config = run.config
    races = [line["racing"] for line in run.history if "racing" in line]
    return {
        "format": 1,
        "run_id": run.run_id,
        "seed": config.seed,
        "verdict": verdict(comparisons),
        "fitness": config.fitness.name,
        "splits": {name: run.inputs.splits.images(name) for name in ("select", "test")},
        "parent": {"select": on_select.metrics("parent").to_dict(), "test": tested["parent"]},
        "best_child": {"id": best.ask.name, **tested["best_child"]},
        "soup": {"id": soup.name if soup else "parent", "entries": len(soup.lineage.entries) if soup else 0}
        | tested["soup"],
        "ensemble": {
            "members": [{"id": member.name, "weight": member.weight} for member in panel.members],
            **tested["ensemble"],
            "curve": [
                {"size": size, "nll": one.nll, "top1": one.top1}
                for size, one in enumerate(panel.merged("curve"), start=1)
            ],
        },
        "reliability": {
            name: panel.reliability(name).to_dict() for name in panel.names if name in ("parent", "ensemble")
        },
        "comparisons": [comparison.to_dict() for comparison in comparisons],
        "mutation": {
            "n": run.inputs.space.n,
            "density": 1 / config.mutation.parts,
            "sigma": config.mutation.sigma,
            **({"sigma_chosen": run.chosen_sigma} if run.chosen_sigma else {}),
            "vanished": vanished_share(run, best.ask),
        },
        **({"racing": racing.summary(races)} if races else {}),
        "work": {
            **asdict(work),
            "images": run.images,
            "wall_s": wall,
            "images_per_s": run.images / wall,
            "backend": config.compute.backend,
            "deterministic": config.compute.deterministic,
        },
    }
