"""A run in a notebook: one cell's output that is drawn anew as the run goes on."""

import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from evoray.runtime.events import Event, RoundDone, RunEnded, RunStarted
from evoray.watching.live import Live
from evoray.watching.view import View, ended_as

EVERY_S = 0.5
"""Between two drawings; a round is drawn at once."""
Show = Callable[[str], Any]


def in_notebook() -> bool:
    """Whether this is a kernel that shows pictures; IPython is not imported where nobody has."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return shell is not None and getattr(shell, "kernel", None) is not None


def shown_in_cell() -> Show:
    """Takes HTML, and shows it in the present cell in place of what it showed before."""
    from IPython.display import HTML, display  # type: ignore[import-not-found,unused-ignore]

    handle = display(HTML(""), display_id=True)  # type: ignore[no-untyped-call,unused-ignore]
    return lambda text: handle.update(HTML(text))  # type: ignore[no-untyped-call,unused-ignore]


class Cell:
    """The observer that draws. show: given HTML each time."""

    def __init__(self, show: Show, clock: Callable[[], float] = time.monotonic) -> None:
        self._show, self._clock = show, clock
        self._live = Live()
        self._directory = ""
        self._config: Mapping[str, Any] = {}
        self._drawn = -EVERY_S

    def observe(self, event: Event) -> None:
        self._live.observe(event)
        if isinstance(event, RunStarted):
            self._directory, self._config = event.directory, event.config
        at_once = isinstance(event, RoundDone | RunEnded)
        if not self._config or not (at_once or self._clock() - self._drawn >= EVERY_S):
            return
        self._drawn = self._clock()
        document = self._live.document()
        view = View(self._directory, "running", {}, self._config, document, tuple(self._live.rounds))
        if isinstance(event, RunEnded) and event.error is not None:
            view = replace(view, state=ended_as(event.error))
        elif isinstance(event, RunEnded):
            view = replace(view, state="finished", summary={"run_id": event.run, "verdict": event.verdict})
        self._draw(view)

    def _draw(self, view: View) -> None:
        from evoray.watching.page import fragment

        self._show(fragment(view))
