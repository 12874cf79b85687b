"""``evoray show`` and ``evoray report``: a finished run, on the terminal and as a page."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from evoray.commands.common import Json, say


def show(run_directory: Annotated[str, typer.Argument(metavar="RUN")], as_json: Json = False) -> None:
    """Print a finished run's tables."""
    from rich.console import Console

    from evoray.errors import UsageError
    from evoray.report import print_run
    from evoray.runtime.reading import translated
    from evoray.storage.directory import RunDirectory
    from evoray.storage.documents import REMEDY

    directory = RunDirectory(run_directory)
    summary = directory.read_json("summary.json")
    if as_json:
        typer.echo(json.dumps(summary))
    else:
        with translated(directory.path("summary.json"), REMEDY, UsageError):
            print_run(summary, directory.read_table("population.parquet"), Console())


def report(run_directory: Annotated[str, typer.Argument(metavar="RUN")], as_json: Json = False) -> None:
    """Draw the report page of a finished run again."""
    from evoray.results.write import write_page
    from evoray.storage.directory import RunDirectory

    path = write_page(RunDirectory(run_directory))
    if as_json:
        typer.echo(json.dumps({"report": path}))
    else:
        say(path)
