"""What a tracker is given of a finished run: figures on test, the report's pictures, recipes, weights."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from evoray.runtime.importing import import_function
from evoray.storage.directory import RunDirectory
from evoray.tracking.base import Picture, Results
from evoray.tracking.figures import of_test

LOG = logging.getLogger("evoray")
NETWORKS = {
    "parent": "parent",
    "best_child": "best",
    "soup": "soup",
    "soup_recalibrated": "soup_recalibrated",
    "ensemble": "ensemble",
}
"""By their key in ``summary.json``: the names that exports go by."""
MEMBERS = ("best", "soup")
"""Whose recipes and weights are handed over."""
EXPORT = "evoray.results.export:export_member"
"""By name: it brings torch, which only weights need."""
REPORTED = ("summary.json", "config.json")


def results_of(
    location: str, step: int, artifacts: str, folder: Path, alive: Callable[[str], None] = lambda what: None
) -> Results:
    """From the run's own files. What cannot be read, drawn or rebuilt is left out, and logged.

    Args:
        artifacts: ``lineage``, ``weights`` or ``none``.
        folder: where copies of files may lie while the tracker takes them.
        alive: told what is done next.
    """
    directory = RunDirectory(location)
    summary = directory.read_json("summary.json")
    alive("drawing the report's pictures")
    drawn: list[Picture] = []
    with _left_out("the report's pictures"):
        drawn += _pictures(directory, lambda: alive("drawing the report's pictures"))
    files: dict[str, str] = {}
    for name, write in _wanted(directory, artifacts):
        alive(name)
        with _left_out(name):
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            write(path)
            files[name] = str(path)
    return Results(str(summary.get("verdict")), None, step, of_test(summary, NETWORKS), tuple(drawn), files)


@contextmanager
def _left_out(what: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        LOG.warning("left out: %s (%s: %s)", what, type(error).__name__, error)


def _pictures(directory: RunDirectory, one_drawn: Callable[[], None]) -> list[Picture]:
    window = directory.read_json("window.json") if directory.exists("window.json") else None
    summary, population = directory.read_json("summary.json"), directory.read_table("population.parquet")
    from evoray.report.page import pictures  # matplotlib, only here

    drawn = pictures(summary, population, window, one_drawn)
    return [Picture(re.sub(r"\W+", "-", title.lower()).strip("-"), title, png) for title, png in drawn]


def _wanted(directory: RunDirectory, artifacts: str) -> Iterator[tuple[str, Callable[[Path], object]]]:
    """(name, what writes it) of every file."""
    if artifacts == "none":
        return
    for name in (*REPORTED, *(f"lineage/{member}.json" for member in MEMBERS)):
        yield name, partial(_copy, directory, name)
    if artifacts == "weights":
        for member in MEMBERS:
            yield f"weights/{member}.safetensors", partial(_export, directory, member)


def _copy(directory: RunDirectory, name: str, path: Path) -> None:
    path.write_bytes(directory.read(name))


def _export(directory: RunDirectory, member: str, path: Path) -> None:
    import_function(EXPORT)(directory, member, path, None)
