"""The study on disk: ``study.html`` and ``.md`` to read, ``.tex`` for a paper, ``.json`` and CSV for programs.

The same outcomes make the same bytes on every machine: what is written is in the study's order, with fixed decimals.
"""

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
from evoray.study.formats import latex
from evoray.study.formats.numbers import table_csv
from evoray.study.formats.page import page
from evoray.study.outcome import Outcome


def write_study(out: str, study: StudyConfig, outcomes: Sequence[Outcome], grids: Sequence[Grid]) -> str:
    """Writes them into the study's folder, each whole or not at all; returns the path of ``study.md``.

    ``tables/NAME.tex`` and ``.csv`` are a table each; ``study.tex`` is a document of all.
    """
    directory = RunDirectory(out)
    names = [f"tables/{name}" for name in slugs([grid.title for grid in grids])]
    for name, grid in zip(names, grids, strict=True):
        directory.write(f"{name}.tex", latex.table(grid, name.rpartition("/")[2]).encode())
        directory.write(f"{name}.csv", table_csv(grid).encode())
    directory.write("study.tex", latex.document(study.title, names).encode())
    directory.write("study.html", page(study.title, outcomes, grids).encode(errors="backslashreplace"))
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


def slugs(titles: Sequence[str]) -> list[str]:
    """A file name for each, told apart by a number where two are the same."""
    found: list[str] = []
    for title in titles:
        slug = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-") or "table"
        found.append(slug if slug not in found else f"{slug}-{len(found)}")
    return found


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(plain(cell) for cell in cells) + " |"


def plain(name: str) -> str:
    """A name as Markdown shows it letter for letter: no HTML, emphasis, code, links, formulas or further columns."""
    name = shown(name, 6 * len(name) + 3).replace("&", "&amp;").replace("<", "&lt;")
    return re.sub(r"[\\`*$|~]|(?<!\w)_|_(?!\w)|\](?=[(\[:])", r"\\\g<0>", name)


def _plain(value: Any) -> Any:
    """JSON has no NaN: what is not defined is None."""
    if isinstance(value, dict):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
