"""What the commands share: options, and the bars they draw."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    ProgressColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as RichProgress
from rich.text import Text

from evoray.errors import EvorayError, RunError
from evoray.runtime.progress import Progress

LINE_SECONDS = 10.0
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document for machines.")]


def guarded(app: Callable[[], object]) -> None:
    """Runs a command line: EvoRay's own errors become one message and an exit code, never a stack trace."""
    try:
        app()
    except EvorayError as error:
        Console(stderr=True).print(f"[bold red]error[/] {escape(str(error))}", highlight=False, soft_wrap=True)
        sys.exit(error.exit_code)


def finish(result: Any, as_json: bool) -> None:
    """Prints a finished run."""
    from evoray.report import print_run

    if as_json:
        typer.echo(json.dumps(result.summary | {"directory": result.directory.location}))
        return
    print_run(result.summary, result.population, Console())
    Console().print(f"report: {result.directory.path('report.html')}", highlight=False, soft_wrap=True)


class _Rate(ProgressColumn):
    """Units a second, over the last half minute."""

    def render(self, task: Task) -> Text:
        return Text(f"{task.speed:,.1f}/s" if task.speed else "")


class Bars(Progress):
    """Draws a run's progress on stderr; a line every LINE_SECONDS where stderr is no terminal, such as a job's log.

    again: how to go on after Ctrl-C.
    """

    def __init__(self, again: str = "a run goes on with --resume") -> None:
        self._again = again
        self._console = Console(stderr=True)
        self._counted = _Counted("", 0, "", 0.0)
        self._bars = RichProgress(
            TextColumn("{task.description:<18}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[unit]}"),
            _Rate(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=self._console,
        )
        self._task: Any = None

    def __enter__(self) -> Bars:
        self._bars.start()
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        self._bars.stop()
        if kind is KeyboardInterrupt:
            raise RunError(f"stopped. What was finished is kept: {self._again}.")

    def stage(self, name: str, total: int, unit: str = "child x shard") -> None:
        if total:
            self._task = self._bars.add_task(name, total=total, unit=unit)
            self._counted = _Counted(name, total, unit, time.monotonic())

    def advance(self, count: int) -> None:
        self._bars.advance(self._task, count)
        if not self._console.is_terminal and (line := self._counted.advance(count, time.monotonic())):
            print(line, file=sys.stderr, flush=True)

    def note(self, text: str) -> None:
        self._console.print(f"[dim]{escape(text)}[/dim]", highlight=False)


class _Counted:
    """A stage's progress as lines."""

    def __init__(self, name: str, total: int, unit: str, started: float) -> None:
        self._name, self._total, self._unit, self._done = name, total, unit, 0
        self._started = self._said = started

    def advance(self, count: int, now: float) -> str | None:
        """The line that is due, if any."""
        self._done += count
        if now - self._said < LINE_SECONDS:
            return None
        self._said = now
        rate = self._done / (now - self._started)
        left = (self._total - self._done) / rate
        return f"{self._name}: {self._done} of {self._total} {self._unit}, {rate:.1f}/s, {left:.0f} s left"
