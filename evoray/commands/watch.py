"""``evoray watch``: a run as it goes on, from anywhere that its directory can be read from."""

from __future__ import annotations

import json
import os
import sys
from time import monotonic as now
from typing import TYPE_CHECKING, Annotated

import typer

from evoray.commands.common import say
from evoray.errors import StoppedError
from evoray.runtime.reading import screen

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console

    from evoray.watching.view import View

LINE_SECONDS = 10.0
"""Without a terminal, between two lines."""


def watch(
    run: Annotated[str, typer.Argument(metavar="RUN", help="A run directory or URI; with --address, a job's id.")],
    address: Annotated[str | None, typer.Option(help="A cluster's dashboard: RUN is one of its jobs.")] = None,
    once: Annotated[bool, typer.Option("--once", help="Look once.")] = False,
    every: Annotated[float, typer.Option(min=0.2, max=3600, help="Seconds between two looks.")] = 2.0,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document a look, each on a line.")] = False,
) -> None:
    """Show how far a run is, until it ends: read only, also from another machine that sees its directory.

    Of a job its run directory is read where that is a URI, or an absolute path that holds a run here; else its log is
    followed.
    """
    try:
        if address is None:
            _run(run, every, once, as_json)
        else:
            _job(address, run, every, once, as_json)
    except KeyboardInterrupt:
        raise StoppedError("no longer watching; the run goes on.") from None


def _run(run: str, every: float, once: bool, as_json: bool) -> None:
    from evoray.storage.directory import RunDirectory
    from evoray.watching.watch import looks

    _show(looks(RunDirectory(run), every), once, as_json)


def _job(address: str, job: str, every: float, once: bool, as_json: bool) -> None:
    from evoray.commands.following import follow
    from evoray.commands.ray_jobs import JobClient, cluster_token, out_of

    client = JobClient(address, cluster_token())
    state = client.state(job)
    out = out_of(state.entrypoint)
    if out is not None and _holds_a_run(out):
        _note(f"job {job} ({state.status.lower()}) writes to {out}")
        _run(out, every, once, as_json)
        return
    _note(f"job {job} ({state.status.lower()}): its run directory {out or ''} is not seen from here; this is its log")
    if not once and not as_json:
        follow(client, job, _write)
        return
    last = (client.logs(job).splitlines() or [""])[-1]
    if as_json:
        typer.echo(json.dumps({"state": state.status.lower(), "directory": out, "job": job, "log": last}))
    else:
        say(last)


def _holds_a_run(out: str) -> bool:
    """Whether a job's run directory is to be read here; ``~`` is the head node's own."""
    from evoray.errors import UsageError
    from evoray.storage.directory import RunDirectory
    from evoray.storage.state import is_begun

    if "://" not in out and not os.path.isabs(out):
        return False
    try:
        return is_begun(RunDirectory(out))
    except UsageError:
        return False


def _note(text: str) -> None:
    print(screen(text), file=sys.stderr, flush=True)


def _write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


def _show(views: Iterator[View], once: bool, as_json: bool) -> None:
    from rich.console import Console

    console = Console(emoji=False, highlight=False)
    if as_json:
        for view in views:
            typer.echo(json.dumps(view.to_json()))
            if once:
                return
    elif once:
        from evoray.watching.terminal import drawn

        console.print(drawn(next(views)))
    elif console.is_terminal and not console.is_dumb_terminal:
        _live(views, console)
    else:
        _lines(views)


def _live(views: Iterator[View], console: Console) -> None:
    from rich.live import Live

    from evoray.watching.terminal import drawn

    with Live(console=console, auto_refresh=False, vertical_overflow="ellipsis") as live:
        for view in views:
            live.update(drawn(view), refresh=True)


def _lines(views: Iterator[View]) -> None:
    from evoray.watching.view import plain_line

    said = -LINE_SECONDS
    for view in views:
        if view.is_over or now() - said >= LINE_SECONDS:
            said = now()
            say(plain_line(view))
            sys.stdout.flush()
