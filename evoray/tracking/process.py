"""The process in which a tracker lives: takes one request a line from standard input, and answers each with a line.

What its library prints goes to standard error, which is a file that nobody sees; answers have their own descriptor.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import signal
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from evoray.runtime.reading import said
from evoray.tracking.base import Beginning, Known, Results, Tracker
from evoray.tracking.registry import make_tracker

Answer = Callable[[Mapping[str, Any]], None]
BEAT_S, WORKING = 1.0, 0.05
"""How often a process looks whether it works, and which share of a core's time is work."""
ORPHAN_S = 10.0
"""How long a process whose run is gone may take to put away what it has."""


def main() -> None:
    """Until the run closes its end, or is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the run's to take; it says when this ends
    answers, lock = os.fdopen(os.dup(1), "w", buffering=1), threading.Lock()
    os.dup2(2, 1)

    def answer(one: Mapping[str, Any]) -> None:
        with lock:
            print(json.dumps(one), file=answers, flush=True)

    threading.Thread(target=_say_when_working, args=(answer,), daemon=True).start()
    serve(sys.stdin, answer)
    # whoever is left of the library, be it a thread that waits for a server, has had its time
    _end_after(ORPHAN_S)


def _say_when_working(answer: Answer) -> None:
    """Imports and drawing take long on a slow machine, and are no waiting for a server."""
    before = time.process_time()
    while True:
        time.sleep(BEAT_S)
        now = time.process_time()
        if now - before > WORKING * BEAT_S:
            answer({"alive": "working"})
        before = now


def _end_after(seconds: float) -> threading.Timer:
    timer = threading.Timer(seconds, os._exit, [1])
    timer.daemon = True
    timer.start()
    return timer


def serve(requests: Iterable[str], answer: Answer) -> None:
    """Every request in turn; one that raises is answered with what it raised."""
    at_work = AtWork(answer)
    for line in requests:
        try:
            answer({"done": at_work.take(json.loads(line))})
        except Exception as error:
            import traceback

            traceback.print_exc()
            answer({"failed": f"{type(error).__name__}: {said(error)}"})
    at_work.close()


def alone(name: str, seconds: float = ORPHAN_S + 2) -> socket.socket:
    """Waits until no other process of this machine has the name; it is free again when the socket closes.

    A run that was killed may go on before the tracker's process of then has put away what it had.
    """
    held = socket.socket(socket.AF_UNIX)
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            held.bind(b"\0evoray-tracking-" + hashlib.sha256(name.encode()).hexdigest().encode())
        except OSError as error:  # another system than Linux has no such names, and goes on without
            if error.errno == errno.EADDRINUSE:
                time.sleep(0.05)
                continue
        break
    return held


class AtWork:
    """One tracker and what it is asked."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self._tracker: Tracker | None = None
        self._alone: socket.socket | None = None
        self._beginning: Mapping[str, Any] = {}
        self._step = 0

    def take(self, request: Mapping[str, Any]) -> dict[str, Any]:
        match request["kind"]:
            case "begin":
                return self._begin(request)
            case "round":
                self._told.round(request["step"], request["figures"])
                self._step = request["step"]
            case "end":
                self._end(request)
        return {}

    def close(self) -> None:
        """The run is gone without a word of its end, as if killed: files are closed, and it may go on later."""
        tracker, self._tracker = self._tracker, None
        if tracker is not None:
            timer = _end_after(ORPHAN_S)
            tracker.end(Results(None, "the run was killed", self._step))
            timer.cancel()
        if self._alone is not None:
            self._alone.close()

    @property
    def _told(self) -> Tracker:
        assert self._tracker is not None, "a tracker is told of a run's beginning first"
        return self._tracker

    def _begin(self, request: Mapping[str, Any]) -> dict[str, Any]:
        folder = request.get("config_dir")
        tracker = make_tracker(request["tracker"], Path(folder) if folder else None)
        self._answer({"alive": "imported"})
        one_run = "\0".join((request["beginning"]["location"], request["beginning"]["run"], request["tracker"]))
        self._alone = self._alone or alone(one_run)
        beginning = Beginning(**{**request["beginning"], "known": Known(**request["beginning"]["known"])})
        begun = tracker.begin(beginning)
        self._tracker, self._beginning, self._step = tracker, request["beginning"], begun.delivered
        return {"id": begun.id, "where": begun.where, "delivered": begun.delivered}

    def _end(self, request: Mapping[str, Any]) -> None:
        from evoray.tracking.finished import results_of  # pyarrow, and later matplotlib, while a run begins

        told = self._told
        with tempfile.TemporaryDirectory() as folder:
            if request["error"] is None:
                results = results_of(
                    self._beginning["location"],
                    request["step"],
                    self._beginning["settings"]["artifacts"],
                    Path(folder),
                    lambda what: self._answer({"alive": what}),
                )
            else:
                results = Results(None, request["error"], request["step"])
            self._answer({"alive": "the end"})
            told.end(results)
        self._tracker = None


if __name__ == "__main__":
    main()
