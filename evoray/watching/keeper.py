"""Keeps what a watcher reads: ``state.json`` while a run goes on, and a ``report.html`` that grows.

A thread of its own writes, so that no run waits for a disk or a store: at most every EVERY_S on a disk, AWAY_S in an
object store; the page at once after the first round, then at most every PAGE_S. The last words of a run that did not
finish stay; those of one that did are gone, for ``summary.json`` and the page of a finished run say it all.
"""

from __future__ import annotations

import contextlib
import json
import logging
import threading
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any

from evoray.runtime.events import Event, RoundDone, RunEnded, RunStarted
from evoray.runtime.lock import holder
from evoray.storage.directory import RunDirectory
from evoray.watching.live import Live
from evoray.watching.view import STATE, View

LOG = logging.getLogger("evoray")
EVERY_S, AWAY_S, PAGE_S = 2.0, 10.0, 10.0
PAGE = "report.html"
GROWING = b'<meta name="evoray" content="growing">'
"""Stands in a page that grows (growing.html.j2), and in no finished one."""


def is_growing(directory: RunDirectory) -> bool:
    """Whether the page there was written before the run had finished."""
    return directory.exists(PAGE) and GROWING in directory.read(PAGE)


class Keeper:
    """The observer, and a context within which it writes. page: whether ``report.html`` is wanted."""

    def __init__(self, directory: RunDirectory, page: bool = True) -> None:
        self._directory, self._page = directory, page
        self._live = Live()
        self._config: Mapping[str, Any] | None = None
        self._every = EVERY_S if directory.is_local else AWAY_S
        self._wake, self._ended, self._finished = threading.Event(), False, False
        self._rounds_drawn, self._drawn = 0, -PAGE_S
        self._complained = False
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Keeper:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._close()

    def observe(self, event: Event) -> None:
        self._live.observe(event)
        match event:
            case RunStarted():
                self._config = event.config
                self._thread = threading.Thread(target=self._keep, name="evoray-watching", daemon=True)
                self._thread.start()
            case RoundDone() if self._rounds_drawn == 0:
                self._wake.set()
            case RunEnded():
                self._finished = event.error is None
                self._close()

    def _close(self) -> None:
        """The last words; nothing is written after it."""
        if self._thread is None:
            return
        self._ended = True
        self._wake.set()
        self._thread.join()
        self._thread = None
        if self._finished:
            with contextlib.suppress(Exception):
                self._directory.remove(STATE)
                if not self._page and is_growing(self._directory):
                    self._directory.remove(PAGE)  # of an earlier start, which wanted one
        else:
            self._write(last=True)

    def _keep(self) -> None:
        while not self._ended:
            self._write()
            self._wake.wait(self._every)
            self._wake.clear()

    def _write(self, last: bool = False) -> None:
        """Nothing that goes wrong here reaches the run: the journal complains of a full disk."""
        try:
            rounds = tuple(self._live.rounds)  # before the document, which then knows of all of them
            document = self._live.document()
            self._directory.write(STATE, json.dumps(document).encode())
            due = last or (len(rounds) > self._rounds_drawn and time.monotonic() - self._drawn >= PAGE_S)
            if self._page and rounds and due and self._config is not None:
                self._rounds_drawn, self._drawn = len(rounds), time.monotonic()
                state = _ended(document) if last else "running"
                self._draw(View(self._directory.everywhere, state, holder(), self._config, document, rounds))
        except Exception as error:
            if not self._complained:
                LOG.warning("how far the run is could not be written: %s", error)
            self._complained = True

    def _draw(self, view: View) -> None:
        from evoray.watching.page import growing_page  # jinja2, only where a page is drawn

        self._directory.write(PAGE, growing_page(view).encode(errors="backslashreplace"))


def _ended(document: Mapping[str, Any]) -> str:
    from evoray.watching.view import ended_as

    return ended_as(document.get("error"))
