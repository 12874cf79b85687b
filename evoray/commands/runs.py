"""``evoray runs`` and ``evoray compare``: runs in a table, and side by side."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from evoray.commands.common import Json, say
from evoray.errors import RunError, UsageError
from evoray.runtime.paths import expanded, replace_with
from evoray.runtime.reading import said, shown

if TYPE_CHECKING:
    from evoray.runs.compare import Compared

Sort = Annotated[
    str, typer.Option(help="date (newest first), name, state, task, fitness, verdict, children, seconds, images, …")
]
Page = Annotated[Path | None, typer.Option("--out", help="Write an HTML page there as well.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace the page if it exists.")]
Depth = Annotated[int, typer.Option(min=0, max=20, help="How many folders below it are looked into.")]


def runs(
    folder: Annotated[str, typer.Argument(metavar="DIR", help="A folder with runs in it, or a URI.")] = ".",
    sort: Sort = "date",
    depth: Depth = 3,
    as_json: Json = False,
) -> None:
    """List the runs in a folder: state, fitness on test of parent and winners, verdict, cost."""
    from evoray.runs.listing import list_runs

    rows = list_runs(folder, sort, depth)
    if as_json:
        typer.echo(json.dumps({"directory": folder, "runs": [row.to_dict() for row in rows]}))
    elif not rows:
        say(f"{folder}: no runs in it, nor up to {depth} folders below.")
    else:
        from rich.console import Console

        from evoray.runs.listed import print_runs

        print_runs(rows, Console(emoji=False))


def compare(
    runs: Annotated[
        list[str], typer.Argument(metavar="RUN...", help="Finished runs; all are compared with the first.")
    ],
    against: Annotated[str | None, typer.Option(metavar="RUN", help="Compare them with this one.")] = None,
    out: Page = None,
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> None:
    """Put runs side by side: what differs in them, and paired differences where test records are the same."""
    page = None if out is None else _page(Path(expanded(str(out))), overwrite)
    from evoray.runs.compare import compare_runs

    found = compare_runs(runs, against)
    if page is not None:
        _write(page, found)
    if as_json:
        typer.echo(json.dumps(found.to_dict() | ({"page": str(page)} if page else {})))
        return
    from rich.console import Console

    from evoray.report.tables import table

    for one in found.runs:
        say(f"{one.name}: {one.run.verdict}")
    for remark in found.remarks:
        say(remark)
    for grid in found.grids:
        say("")
        if grid.rows:
            Console(emoji=False).print(table(grid), crop=False)
        else:
            say(f"{grid.title}: {grid.note}")
    if page is not None:
        say(f"page: {page}")


def _page(path: Path, overwrite: bool) -> Path:
    """Refuses, before anything is read, what cannot be written."""
    if path.suffix.lower() not in (".html", ".htm") or "\0" in str(path):
        raise UsageError(f"{shown(path)}: name an .html file.")
    if os.path.lexists(path) and not (overwrite and path.is_file()):
        raise UsageError(f"{shown(path)}: exists. Name another file, or replace it with --overwrite.")
    if not path.parent.is_dir():
        raise UsageError(f"{shown(path)}: no folder {shown(path.parent)}. Make it, or name another place.")
    return path


def _write(path: Path, found: Compared) -> None:
    """Whole or not at all."""
    from evoray.runs.page import render

    try:
        replace_with(path, render(found).encode(errors="backslashreplace"))
    except OSError as error:
        raise RunError(f"{shown(path)}: cannot be written ({said(error)}). Name another place.") from None
