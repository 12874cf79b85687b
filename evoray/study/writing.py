"""The study on disk: ``study.md`` to read, ``study.json`` for machines, ``outcomes.csv`` for a plotting program."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from typing import Any

from evoray.report.grids import Grid
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
    lines = [f"# {title}", ""]
    for grid in grids:
        aligned = ["---"] * grid.words + ["---:"] * (len(grid.columns) - grid.words)
        lines += [f"## {grid.title}", ""]
        lines += [_line(grid.columns), _line(aligned), *(_line(row) for row in grid.rows), ""]
        lines += [grid.note, ""] if grid.note else []
    return "\n".join(lines)


def comma_separated(outcomes: Sequence[Outcome]) -> str:
    """A line a run and network, on the test images."""
    sink = io.StringIO()
    writer = csv.writer(sink, lineterminator="\n")
    setting = ("parent", "seed", "role", "arm", "parts", "sigma", "generations", "evaluations", "select_fitness")
    writer.writerow([*setting, "network", "nll", "top1", "nll_difference", "nll_low", "nll_high"])
    for one in outcomes:
        for network, nll in one.nll.items():
            compared = one.comparisons["nll"].get(network)
            tail = ("", "", "") if compared is None else (compared.difference, *compared.ci95)
            writer.writerow([*(getattr(one, name) for name in setting), network, nll, one.top1[network], *tail])
    return sink.getvalue()


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _plain(value: Any) -> Any:
    """JSON has no NaN: what is not defined is None."""
    if isinstance(value, dict):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
