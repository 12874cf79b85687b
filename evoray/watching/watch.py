"""Looks at a run again and again until it ends."""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from evoray.storage.directory import RunDirectory
from evoray.storage.lock import LEASE_S
from evoray.watching.view import View, look

EVERY_S = 2.0


def watch(run: str, every: float = EVERY_S, *, show: Callable[[View], Any] | None = None) -> View:
    """Shows a run until it ends, here a run directory or URI; what was seen last.

    Args:
        every: seconds between two looks.
        show: told each view; in a notebook a cell that is drawn anew, else lines of text, unless given.

    Raises:
        UsageError: no run has begun there, or one of its files is damaged.
    """
    show = show or _shown()
    for view in looks(RunDirectory(str(run)), every):
        show(view)
    return view


def looks(
    directory: RunDirectory,
    every: float = EVERY_S,
    pause: Callable[[float], Any] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[View]:
    """What is to be seen, every so many seconds; the last view is of a run that has ended.

    In an object store a run that was killed still holds its lease: it has ended once nobody renewed that for LEASE_S.
    """
    lease, since = None, clock()
    while True:
        view = look(directory)
        if view.holder != lease:
            lease, since = view.holder, clock()
        if view.state in ("running", "starting") and "renewed" in view.holder and clock() - since > LEASE_S:
            view = replace(view, state="stopped")
        yield view
        if view.is_over:
            return
        pause(every)


def _shown() -> Callable[[View], Any]:
    from evoray.watching.notebook import in_notebook, shown_in_cell
    from evoray.watching.page import fragment
    from evoray.watching.view import plain_line

    if not in_notebook():
        return lambda view: print(plain_line(view), flush=True)
    cell = shown_in_cell()
    return lambda view: cell(fragment(view))
