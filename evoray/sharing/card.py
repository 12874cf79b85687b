"""The model card of a member: what it is, how good, by which recipe. Every figure is ``summary.json``'s own."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import jinja2

from evoray.config import RunConfig
from evoray.errors import UsageError
from evoray.models.transformers.places import named
from evoray.report import text
from evoray.report.finished_run import Run
from evoray.report.grids import Grid
from evoray.report.guards import guards
from evoray.report.measures import ShownMeasure, read_measures
from evoray.results.export import Member
from evoray.runtime.reading import shown
from evoray.sharing.formats import HUB
from evoray.storage.directory import RECALIBRATED, RunDirectory
from evoray.storage.documents import REMEDY

INLINE = 20_000
"""Bytes of a recipe that the card shows whole."""
PIPELINES: Mapping[str, str] = {
    "image-classification": "image-classification",
    "segmentation": "image-segmentation",
    "text-classification": "text-classification",
    "language-modelling": "text-generation",
    "generation": "text-generation",
    "multiple-choice": "multiple-choice",
}
"""The Hub's names of tasks."""
LIBRARIES = {"timm": "timm", "transformers": "transformers", "onnx": "onnx"}
KEYS = {"best": "best_child", "soup": "soup", RECALIBRATED: RECALIBRATED, "parent": "parent"}


@dataclass(frozen=True)
class Use:
    """How the network is used. snippet: loads it; preprocessing: what images go through, in a sentence; base_model: the
    parent's name on the Hub, where it has one."""

    snippet: str
    preprocessing: str = ""
    language: str = "python"
    base_model: str = ""


@dataclass(frozen=True)
class Row:
    """A figure of parent and member, as the card shows it."""

    label: str
    parent: str
    own: str
    difference: str = text.NOTHING
    interval: str = text.NOTHING


def card(directory: RunDirectory, config: RunConfig, name: str, member: Member, use: Use, output: Path) -> str:
    """The card's Markdown, with the Hub's YAML at its head.

    Args:
        name: the member's. output: what is written, for the title and the command. No path of this machine is told.

    Raises:
        UsageError: the run has not finished, or its summary lacks something; names it.
    """
    summary = directory.read_json("summary.json")
    try:
        facts = _facts(directory, summary, config, name, member) | {"rows": list(rows_of(directory, summary, name))}
        facts["guards"] = guards_of(summary, name)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        reason = f"{type(error).__name__}: {shown(error)}"
        raise UsageError(f"{directory.path('summary.json')}: no card can be made of it ({reason}). {REMEDY}") from None
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )  # Markdown: nothing is escaped for HTML but what the filters take
    environment.filters |= {"cell": cell, "line": line}
    return environment.get_template("card.md.j2").render(facts | vars(use) | {"title": output.stem} | _commands(
        directory, name, output))  # fmt: skip


def rows_of(directory: RunDirectory, summary: Mapping[str, Any], name: str) -> Iterator[Row]:
    """Every figure on ``test``, the run's fitness first; nothing for a child that was not measured there."""
    key = KEYS.get(name) or _key_of(summary, name)
    parent = summary["parent"]["test"]
    own = _of_child(directory, name) if key is None else parent if key == "parent" else summary[key]
    compared = {
        one["metric"]: one
        for one in summary["comparisons"]
        if one["name"] == key and one.get("against", "parent") == "parent"
    }
    fitness = str(summary.get("fitness", "nll"))
    for figure, measure in read_measures(summary, fitness).items():
        if figure in own and figure in parent:
            found = compared.get(figure) or (compared.get("fitness") if figure == fitness else None)
            yield _row(measure, parent[figure], own[figure], found)


def guards_of(summary: Mapping[str, Any], name: str) -> list[Grid]:
    """What the run kept elsewhere, a table for each guard: of the parent and of this member, where it was looked at."""
    run, key = Run(summary, []), KEYS.get(name) or _key_of(summary, name)
    if key is None:
        return []
    wanted = {run.label(one) for one in ("parent", key)}
    found = (replace(one, rows=tuple(row for row in one.rows if wanted.intersection(row))) for one in guards(run))
    return [one for one in found if len(one.rows) == len(wanted)]


def _key_of(summary: Mapping[str, Any], name: str) -> str | None:
    return "best_child" if summary["best_child"].get("id") == name else None


def _row(measure: ShownMeasure, parent: float | None, own: float | None, found: Mapping[str, Any] | None) -> Row:
    direction = "higher is better" if measure.higher_is_better else "lower is better"
    label, values = f"{measure.label} ({direction})", (measure.show(parent), measure.show(own))
    if found is None or found["difference"] is None:
        return Row(label, *values)
    # the comparison called fitness has the better side up, whatever its figure has
    factor = measure.factor * (measure.sign if found["metric"] == "fitness" else 1)
    low, high = sorted(factor * one for one in found["ci95"])
    decimals = text.decimals_for(high - low, 2 if measure.is_fraction else 4)
    unit = " points" if measure.is_fraction else ""
    difference, *ends = (text.signed(one, decimals) for one in (factor * found["difference"], low, high))
    return Row(label, *values, difference + unit, f"{ends[0]} to {ends[1]}{unit}")


def _of_child(directory: RunDirectory, name: str) -> dict[str, Any]:
    """A child's figures on ``test``, where it was a member of the ensemble or drawn by chance."""
    table = directory.read_table("population.parquet")
    found = [row for row in table.to_pylist() if row["child_id"] == name]
    values = {key.removeprefix("test_"): one for key, one in (found or [{}])[0].items() if key.startswith("test_")}
    return values if any(one is not None for one in values.values()) else {}


def _facts(
    directory: RunDirectory, summary: Mapping[str, Any], config: RunConfig, name: str, member: Member
) -> dict[str, Any]:
    counted, splits = str(summary.get("counted", "images")), summary["splits"]
    document, task = json.loads(member.recipe), config.task.name
    parent, entries = document["parent"], len(document["entries"])
    said = f"{entries} mutation{'s' if entries != 1 else ''} of it, found without gradients by EvoRay"
    intro = "The parent itself, as EvoRay took it." if name == "parent" else f"The parent below, and {said}."
    if name == RECALIBRATED:
        intro += " BatchNorm's statistics were measured anew, and are in the weights alone: the recipe gives the soup."
    return {
        "library": LIBRARIES.get(config.parent.source, ""),
        "pipeline": PIPELINES.get(task, ""),
        "tags": ["evoray", config.parent.source, "gradient-free", task.rpartition(":")[2]],
        "intro": intro,
        "parent_name": named(config.parent.name),
        "parent_sha256": parent["sha256"],
        "source": config.parent.source,
        "member": name,
        "run_id": summary["run_id"],
        "sha256": member.sha256,
        "task": task,
        "data": cell(_last(config.data.path)),
        "digests": [*_digests(directory, splits, counted)],
        "search": _search(config),
        "tested": text.count(splits["test"]),
        "counted": counted,
        "verdict": summary["verdict"],
        "recipe_bytes": f"{len(member.recipe):,}",
        "recipe": member.recipe.decode().strip() if len(member.recipe) <= INLINE else "",
    }


def _digests(directory: RunDirectory, splits: Mapping[str, Any], counted: str) -> Iterator[tuple[str, str]]:
    name = "journal/identity.json"
    digests = directory.read_json(name).get("data") or {} if directory.exists(name) else {}
    for split in ("select", "test"):
        sha256 = digests.get(split) if isinstance(digests, Mapping) else None
        of = f", of data with sha256 `{line(sha256)}`" if isinstance(sha256, str) else "; no digest of the data is kept"
        yield f"`{split}`", f"{text.count(splits[split])} {counted}{of}"


def _search(config: RunConfig) -> str:
    mutation, search = config.mutation, config.search
    return cell(
        f"mutation {mutation.kind}, strategy {search.strategy}, {search.children} children in each of "
        f"{search.generations} generations, fitness {config.fitness.name}, seed {config.seed}"
    )


def _commands(directory: RunDirectory, name: str, output: Path) -> dict[str, str]:
    run = _last(directory.location) or "RUN"
    form = [] if output.suffix else ["--format", HUB]
    rebuilt = "soup" if name == RECALIBRATED else name.replace("/", "-")
    return {
        "made_by": shlex.join(["evoray", "export", run, name, "-o", output.name, *form]),
        "rebuilt_by": f"evoray rebuild lineage.json PARENT.safetensors -o {shlex.quote(rebuilt)}.safetensors",
    }


def _last(path: str) -> str:
    """The last part of a path or URI: where it lies is nobody else's business."""
    return str(path).rstrip("/").rpartition("/")[2]


def line(value: object) -> str:
    """A stranger's words on one line of Markdown, which can neither end a block nor begin markup."""
    return "".join(f"\\{one}" if one in "\\`*_[]<>|#" else one for one in shown(value, 10_000))


def cell(value: object) -> str:
    """The same in a table, at most 300 characters."""
    return line(shown(value))
