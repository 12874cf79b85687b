"""What the commands share: options, and the bars they draw."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from rich.console import Console
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

from evoray.errors import RunError
from evoray.progress import Progress

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document for machines.")]


class _Rate(ProgressColumn):
    """Units a second, over the last half minute."""

    def render(self, task: Task) -> Text:
        return Text(f"{task.speed:,.1f}/s" if task.speed else "")


class Bars(Progress):
    """Draws a run's progress on stderr; quiet when stderr is no terminal.

    again: how to go on after Ctrl-C.
    """

    def __init__(self, again: str = "a run goes on with --resume") -> None:
        self._again = again
        self._console = Console(stderr=True)
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

    def advance(self, count: int) -> None:
        self._bars.advance(self._task, count)

    def note(self, text: str) -> None:
        self._console.print(f"[dim]{text}[/dim]", highlight=False)
