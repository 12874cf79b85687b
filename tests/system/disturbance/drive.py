"""The run in a process of its own, as the command line runs it, which tells where it is and waits until that is heard.

The process is forked from one that has imported everything and done nothing, so a hundred of them cost no minutes. It
speaks over a pipe: ("at", stage, share) when it comes to a moment it was asked to tell, then waits for any answer.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from dataclasses import dataclass, field

WAIT_S = 60.0


@dataclass
class Order:
    """What a driver is to do.

    moments: (stage, share of its evaluations) to tell of, at most once each. slow: a file whose number of seconds
    every fsync takes longer while it is there; each is noted beside it.
    """

    config: str
    overrides: tuple[str, ...]
    out: str
    log: str
    moments: list[tuple[str, float]] = field(default_factory=list)
    flush: float = 0.01
    slow: str = ""
    is_window: bool = False
    page: bool = False
    environment: dict[str, str] = field(default_factory=dict)


class Herald:
    """An observer that tells of moments; ``lengths`` are the seconds of each stage, as far as it has gone."""

    def __init__(self, pipe, moments):
        self.pipe, self.moments = pipe, list(moments)
        self.lengths, self.stage, self.since = {}, "", time.monotonic()
        self.done = self.total = 0

    def enter(self, stage, total=0):
        now = time.monotonic()
        if self.stage:
            self.lengths[self.stage] = self.lengths.get(self.stage, 0.0) + now - self.since
        self.stage, self.since, self.done, self.total = stage, now, 0, total
        self.tell()

    def tell(self):
        for moment in list(self.moments):
            stage, share = moment
            if stage == self.stage and self.done >= share * self.total:
                self.moments.remove(moment)
                began = time.monotonic()
                with contextlib.suppress(OSError, EOFError):
                    self.pipe.send(("at", stage, share))
                    self.pipe.poll(WAIT_S) and self.pipe.recv()
                self.since += time.monotonic() - began

    def started(self, event):
        self.enter("races" if "/look" in event.stage else event.part, event.total)

    def advance(self, count):
        self.done += count
        self.tell()

    def observe(self, event):
        name = type(event).__name__
        if name == "StageStarted":
            self.started(event)
        elif name == "StageProgress":
            self.advance(event.done)


def drive(pipe, order: Order) -> None:
    """Never returns: exits as ``evoray run`` does."""
    os.setsid()
    os.environ.update(order.environment)
    log = os.open(order.log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    os.dup2(log, 1)
    os.dup2(log, 2)
    sys.stdout, sys.stderr = (os.fdopen(number, "w", buffering=1) for number in (1, 2))
    from evoray.commands.common import guarded

    herald = Herald(pipe, order.moments)
    _trace(herald, order)
    guarded(lambda: _run(herald, order))
    herald.enter("")
    with contextlib.suppress(OSError):
        pipe.send(("ended", herald.lengths))
    sys.exit(0)


def _run(herald: Herald, order: Order) -> None:
    from pathlib import Path

    from evoray.config import load_config
    from evoray.evolution import evolve
    from evoray.search import window

    herald.enter("start")
    path = Path(order.config)
    config = load_config(path, order.overrides)
    if order.is_window:
        sweep = {"sigmas": (0.02, 0.2), "densities": (1, 0.25), "children": 3}
        window.window(config, order.out, config_dir=path.parent, progress=_heard(herald), **sweep)
    else:
        evolve(config, order.out, config_dir=path.parent, resume="auto", page=order.page, observers=[herald])


def _heard(herald: Herald):
    """The herald as a Progress: a window has no other observer."""
    from evoray.runtime.progress import Progress

    progress = Progress()
    progress.evaluating, progress.advance = herald.started, herald.advance
    return progress


def _trace(herald: Herald, order: Order) -> None:
    """Hears of what no event tells: that results are written; and is the slow disk."""
    from evoray import evolution
    from evoray.search import window
    from evoray.storage import journal

    journal.FLUSH_SECONDS = order.flush

    def heard(module, name):
        real = getattr(module, name)

        def wrapped(*arguments, **named):
            herald.enter("results")
            return real(*arguments, **named)

        setattr(module, name, wrapped)

    heard(evolution, "write_results")
    heard(window, "_written")
    fsync = os.fsync

    def slowed(number):
        with contextlib.suppress(OSError, ValueError), open(order.slow) as file:
            seconds = float(file.read())
            with open(f"{order.slow}.met", "ab") as met:
                met.write(b".")
            time.sleep(seconds)
        fsync(number)

    if order.slow:
        os.fsync = slowed
