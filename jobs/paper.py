"""The paper's study on any data set and list of parents: ``uv run jobs/paper.py STUDY.toml --out DIR``.

One command for all of it. Finished runs are skipped and an interrupted one goes on, so after a stop the same command is
given again. As a job: ``ray job submit --address URL --working-dir . -- python jobs/paper.py STUDY.toml --out URI``.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from evoray.commands.common import Bars, Json, guarded

LOG_WIDTH = 140
"""Columns of the table where no terminal says how many it has, such as in a job's log."""


def main(
    study: Annotated[Path, typer.Argument(help="The study, in TOML.")],
    out: Annotated[str, typer.Option(help="Directory or URI of its runs and tables.")],
    overrides: Annotated[
        list[str] | None, typer.Option("--set", metavar="A.B=V", help="Override a key of the study; repeatable.")
    ] = None,
    images: Annotated[
        str | None, typer.Option(help="Source of the images: shards that are missing are made from it first.")
    ] = None,
    labels: Annotated[
        Path | None, typer.Option(help="List of a flat folder's labels, or ILSVRC2012's devkit; default: beside it.")
    ] = None,
    seeds: Annotated[
        str | None, typer.Option(metavar="0,1,2", help="Seeds in place of the study's own; what is finished stays.")
    ] = None,
    only: Annotated[str, typer.Option(help="Run only these cases: a pattern over PARENT/seedN.")] = "*",
    tables: Annotated[bool, typer.Option("--tables", help="Run nothing; tables of what is finished.")] = False,
    as_json: Json = False,
) -> None:
    """Dense against sparse, static against dynamic, the window; best child, soup, ensemble; over parents and seeds."""
    from evoray.report.tables import table
    from evoray.study import (
        all_tables,
        check_cases,
        ingest_missing,
        load_study,
        run_study,
        seeds_override,
        unfinished,
        write_study,
    )

    parsed = load_study(study, [*(overrides or ()), *([] if seeds is None else [seeds_override(seeds)])])
    with Bars("the same command goes on") as bars:
        todo = [] if tables else unfinished(parsed, study.parent, out, only)
        check_cases(todo, images is not None)
        if images is not None:
            ingest_missing(todo, images, bars, labels)
        for outcomes in run_study(parsed, study.parent, out, only=only, dry=tables, progress=bars):
            grids = all_tables(outcomes)
            path = write_study(out, parsed, outcomes, grids)
    if as_json:
        typer.echo(json.dumps({"tables": path, "runs": len(outcomes)}))
        return
    console = Console(width=None if sys.stdout.isatty() else LOG_WIDTH)
    if grids:
        console.print(table(grids[-1]))
    console.print(f"all tables: {path}", highlight=False, soft_wrap=True)


if __name__ == "__main__":
    guarded(lambda: typer.run(main))
