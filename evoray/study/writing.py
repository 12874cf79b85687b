"""The study on disk: ``study.md`` to read, ``study.json`` for machines, ``outcomes.csv`` for a plotting program."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Sequence
from typing import Any

from evoray.report.grids import Grid
from evoray.runtime.reading import shown
from evoray.storage.directory import RunDirectory
from evoray.study.config import StudyConfig
from evoray.study.outcome import Outcome


def write_study(out: str, study: StudyConfig, outcomes: Sequence[Outcome], grids: Sequence[Grid]) -> str:
    """Writes the three files into the study's folder, each whole or not at all; returns the path of ``study.md``."""
    directory = RunDirectory(out)
    directory.write("study.md", markdown(study.title, grids).encode())
    directory.write("outcomes.csv", comma_separated(outcomes).encode())
    directory.write_json(
        "study.json",
        {
            "format": 1,
            "study": study.model_dump(mode="json"),
            "outcomes": [_plain(one.to_dict()) for one in outcomes],
            "tables": [
                {"title": grid.title, "columns": grid.columns, "rows": grid.rows, "note": grid.note} for grid in grids
            ],
        },
    )
    return directory.path("study.md")


def markdown(title: str, grids: Sequence[Grid]) -> str:
    """The tables one below the other; numbers to the right."""
    lines = [f"# {plain(title)}", ""]
    for grid in grids:
        aligned = ["---"] * grid.words + ["---:"] * (len(grid.columns) - grid.words)
        lines += [f"## {plain(grid.title)}", ""]
        lines += [_line(grid.columns), _line(aligned), *(_line(row) for row in grid.rows), ""]
        lines += [grid.note, ""] if grid.note else []
    return "\n".join(lines)


def comma_separated(outcomes: Sequence[Outcome]) -> str:
    """A line a run and network, on the test images."""
    sink = io.StringIO()
    writer = csv.writer(sink, lineterminator="\n")
    setting = ("parent", "seed", "role", "arm", "parts", "sigma", "generations", "evaluations", "select_fitness")
    keys = list(dict.fromkeys(one.measure.key for one in outcomes)) or ["nll"]
    figures = list(dict.fromkeys(key for one in outcomes for key in one.tested)) or ["nll", "top1"]
    against = [f"{key}_{what}" for key in keys for what in ("difference", "low", "high")]
    writer.writerow([*setting, "network", *figures, *against])
    for one in outcomes:
        for network in one.fitness:
            values = [one.tested[key][network] if key in one.tested else "" for key in figures]
            tail: list[Any] = []
            for key in keys:
                compared = one.compared.get(network) if key == one.measure.key else None
                tail += ["", "", ""] if compared is None else [compared.difference, *compared.ci95]
            writer.writerow([*(getattr(one, name) for name in setting), network, *values, *tail])
    return sink.getvalue()


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(plain(cell) for cell in cells) + " |"


def plain(text: str) -> str:
    """A name as Markdown shows it letter for letter: no HTML, emphasis, code, links, formulas or further columns."""
    text = shown(text, 6 * len(text) + 3).replace("&", "&amp;").replace("<", "&lt;")
    return re.sub(r"[\\`*$|~]|(?<!\w)_|_(?!\w)|\](?=[(\[:])", r"\\\g<0>", text)


def _plain(value: Any) -> Any:
    """JSON has no NaN: what is not defined is None."""
    if isinstance(value, dict):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
