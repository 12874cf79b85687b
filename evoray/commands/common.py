"""What the commands share: options, and the bars they draw."""

from __future__ import annotations

import io
import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
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
from typer.core import TyperGroup

from evoray.errors import EvorayError, RunError
from evoray.runtime.progress import Progress
from evoray.runtime.reading import screen, shown

LINE_SECONDS = 10.0
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document for machines.")]


def guarded(app: Callable[[], object]) -> None:
    """Runs a command line: EvoRay's own errors become one message and an exit code, never a stack trace.

    What a stranger named (a file, a class, a key) is printed so that it cannot steer the terminal, and whatever
    encoding the terminal has.
    """
    speak_plainly()
    try:
        app()
    except EvorayError as error:
        complain(str(error))
        sys.exit(error.exit_code)
    except MemoryError:
        complain("this machine's memory does not hold what was asked for. Give less, or take a larger machine.")
        sys.exit(EvorayError.exit_code)


class PlainGroup(TyperGroup):
    """Commands whose complaints about an option show what was given so that it cannot steer the terminal."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        with _plain_complaints():
            return super().parse_args(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        with _plain_complaints():
            return super().invoke(ctx)


@contextmanager
def _plain_complaints() -> Iterator[None]:
    try:
        yield
    except Exception as error:
        if isinstance(message := getattr(error, "message", None), str) and hasattr(error, "format_message"):
            vars(error)["message"] = screen(message)
        raise


def speak_plainly() -> None:
    """Lets a terminal or a log of another encoding than UTF-8 show what it can, in place of a stack trace."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def complain(message: str) -> None:
    """One message on stderr, at most a screen."""
    Console(stderr=True).print(f"[bold red]error[/] {escape(screen(message))}", highlight=False, soft_wrap=True)


def finish(result: Any, as_json: bool) -> None:
    """Prints a finished run."""
    from evoray.report import print_run

    if as_json:
        typer.echo(json.dumps(result.summary | {"directory": result.directory.location}))
        return
    print_run(result.summary, result.population, Console())
    say(f"report: {result.directory.path('report.html')}")


def say(text: str) -> None:
    """A sentence on stdout, as it is but for what would steer a terminal."""
    Console(markup=False, highlight=False, soft_wrap=True).print(screen(text))


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
            TextColumn("{task.description:<18}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[unit]}", markup=False),
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
        name, unit = shown(name, 80), shown(unit, 80)
        if total:
            self._task = self._bars.add_task(name, total=total, unit=unit)
            self._counted = _Counted(name, total, unit, time.monotonic())

    def advance(self, count: int) -> None:
        self._bars.advance(self._task, count)
        if not self._console.is_terminal and (line := self._counted.advance(count, time.monotonic())):
            print(line, file=sys.stderr, flush=True)

    def note(self, text: str) -> None:
        self._console.print(f"[dim]{escape(screen(text))}[/dim]", highlight=False)


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
