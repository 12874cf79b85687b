"""A run's progress on stderr: one bar on a terminal, and in a log a line every LINE_SECONDS.

What is counted has the task's own words: children while there are many, else images, or records.
"""

from __future__ import annotations

import math
import sys
import time
from typing import TYPE_CHECKING, Any

from evoray.errors import StoppedError
from evoray.runtime.progress import Progress
from evoray.runtime.reading import screen, shown
from evoray.watching.words import TITLES, UNITS, about, rounded

if TYPE_CHECKING:
    from evoray.runtime.events import RoundDone, StageStarted

LINE_SECONDS = 10.0
MANY = 10
"""Networks in a stage that are counted as such; of fewer their images are."""
WIDE = 100
"""Columns that have room for a long bar."""


class Bars(Progress):
    """Draws a run's progress.

    again: how to go on after Ctrl-C.
    """

    def __init__(self, again: str = "a run goes on with --resume") -> None:
        from rich.console import Console

        self._again = again
        self._console = Console(emoji=False, stderr=True)
        self._bars = _drawn(self._console)
        self._task: Any = None
        self._stage: Counted | None = None
        self._standing = ""
        self._said = time.monotonic()

    def __enter__(self) -> Bars:
        if self._bars is not None:
            self._bars.start()
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if self._bars is not None:
            self._bars.stop()
        if kind is KeyboardInterrupt:
            raise StoppedError(f"stopped. What was finished is kept: {self._again}.")

    def stage(self, name: str, total: int, unit: str = "evaluations") -> None:
        self._begin(Counted(shown(name, 80), total, shown(unit, 80), time.monotonic()))

    def evaluating(self, started: StageStarted) -> None:
        self._begin(evaluations(started, time.monotonic()))

    def advance(self, count: int) -> None:
        if self._stage is None:
            return
        self._stage.add(count)
        now = time.monotonic()
        if self._bars is not None:
            self._bars.update(self._task, advance=count, text=self._stage.text(now))
        else:
            self._line(f"{self._stage.title}: {self._stage.text(now)}{self._standing and f'; {self._standing}'}", now)

    def round_done(self, done: RoundDone) -> None:
        if not done.standing:
            return
        self._standing = shown(done.standing)
        line = f"generation {done.generation}: {self._standing}"
        if self._bars is not None:
            self.note(line)
        else:
            self._line(line, time.monotonic())

    def note(self, text: str) -> None:
        from rich.markup import escape

        from evoray.begin.said import folded

        said = screen(text)
        if self._bars is not None:  # a log has no width, and no line of it is broken
            said = "\n".join(line for part in said.split("\n") for line in folded(part, self._console.width))
        self._console.print(f"[dim]{escape(said)}[/dim]", highlight=False, soft_wrap=True)

    def _begin(self, stage: Counted) -> None:
        if not stage.total:
            return
        self._stage = stage
        if self._bars is not None:
            if self._task is not None:
                self._bars.remove_task(self._task)
            completed, text = stage.known, stage.text(time.monotonic())
            total = stage.known + stage.total
            self._task = self._bars.add_task(stage.title, total=total, completed=completed, text=text)

    def _line(self, text: str, now: float) -> None:
        if now - self._said >= LINE_SECONDS:
            self._said = now
            print(text, file=sys.stderr, flush=True)


def _drawn(console: Any) -> Any:
    """The bar of a terminal; None where there is none that can draw one."""
    if not console.is_terminal or console.is_dumb_terminal:
        return None
    from rich.progress import BarColumn, TextColumn
    from rich.progress import Progress as RichProgress

    return RichProgress(
        TextColumn("{task.description}", markup=False),
        BarColumn(30 if console.width >= WIDE else 10),
        TextColumn("{task.fields[text]}", markup=False),
        console=console,
        transient=True,  # what a run has come to is said by lines that stay
    )


class Counted:
    """A stage's progress in words.

    Args:
        total: steps left to do; known: those that were done before. each: steps of one ``unit``.
        images: that all steps left are made of, 0 where that is not known; counted: what they are.
    """

    def __init__(
        self,
        title: str,
        total: int,
        unit: str,
        now: float,
        *,
        each: int = 1,
        known: int = 0,
        images: int = 0,
        counted: str = "images",
    ) -> None:
        self.title, self.total, self.known = title, total, known
        self._unit, self._each, self._images, self._counted = unit, each, images, counted
        self._started, self._done = now, 0

    def add(self, count: int) -> None:
        self._done += count

    def text(self, now: float) -> str:
        """``12 of 40 children (310 images/s), 3 min left``; without rate and time before there are any."""
        per_step = self._images / self.total if self.total else 0.0
        whole = self.known + self.total
        by_image = bool(self._images) and whole < MANY * self._each
        factor = per_step if by_image else 1 / self._each
        unit = self._counted if by_image else self._unit
        text = f"{math.floor((self.known + self._done) * factor + 1e-9):,} of {round(whole * factor):,} {unit}"
        if self._done == 0 or now < self._started + 0.01:  # what is told first may have been done before it began
            return text
        rate = self._done / (now - self._started)
        per_second = f"{rounded(rate * per_step)}{'' if by_image else f' {self._counted}'}/s" if self._images else ""
        left = about(max(0, self.total - self._done) / rate)
        return f"{text} ({per_second or f'{rounded(rate / self._each)}/s'}), {left} left"


def evaluations(started: StageStarted, now: float) -> Counted:
    """A stage of networks on shards."""
    title = TITLES.get(started.part, started.stage.partition("/")[0])
    return Counted(
        shown(title, 80),
        started.total,
        UNITS.get(started.part, "networks"),
        now,
        each=max(1, started.shards),
        known=started.known,
        images=started.images,
        counted=started.counted,
    )
