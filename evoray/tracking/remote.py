"""A tracker's process as seen from the run: one request at a time, each with an answer, and an end in any case."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

import evoray

PUT_AWAY_S = 2.0
"""For which a process that was told the end may take to end itself."""
CHATTER = 2000
"""Bytes of what a library printed last, among which the reason of its process's death is looked for."""
START = "import sys; sys.path.append({root!r}); from evoray.tracking.process import main; main()"


class NotTold(Exception):  # noqa: N818  a state of things, not a fault of ours
    """A request was not answered with success; why."""


class Remote:
    """Of one thread, but for ``busy_since`` and ``abandon``, which are for the one that waits for it."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._errors: IO[bytes] | None = None
        self._answers: IO[bytes] | None = None
        self._abandoned = threading.Event()
        self.deaths = 0
        self.busy_since: float | None = None
        """When the tracker was last heard of, by the monotonic clock, while it owes an answer."""

    @property
    def is_alive(self) -> bool:
        return self._process is not None

    def start(self) -> None:
        self.close()
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115  as long as the process
        code = START.format(root=str(Path(evoray.__file__).parents[1]))
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-c", code],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            start_new_session=True,  # Ctrl-C in the terminal does not reach it
        )
        self._answers = self._process.stdout
        if self._abandoned.is_set():
            self.kill()

    def ask(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """The answer.

        Raises:
            NotTold: the tracker raised, or its process is gone.
        """
        process = self._process
        if process is None:
            raise NotTold("its process is gone")
        self.busy_since = time.monotonic()
        try:
            return self._answer(process, request)
        finally:
            self.busy_since = None

    def _answer(self, process: subprocess.Popen[bytes], request: Mapping[str, Any]) -> dict[str, Any]:
        assert process.stdin is not None and self._answers is not None
        with suppress(OSError, ValueError):  # as where it has ended
            process.stdin.write((json.dumps(request) + "\n").encode())
            process.stdin.flush()
            for line in self._answers:
                answer = json.loads(line)
                if "failed" in answer:
                    raise NotTold(answer["failed"])
                if "done" in answer:
                    found: dict[str, Any] = answer["done"]
                    return found
                self.busy_since = time.monotonic()
        self.deaths += 1
        words = self._last_words()
        self.kill()
        raise NotTold(f"its process died{words}")

    def stop(self) -> None:
        """The tracker was told the end, and has put all away."""
        process = self._process
        if process is not None and process.stdin is not None:
            with suppress(OSError, ValueError, subprocess.TimeoutExpired):
                process.stdin.close()
                process.wait(PUT_AWAY_S)
        self.kill()

    def abandon(self) -> None:
        """Nobody waits for it any more; it is not started again either."""
        self._abandoned.set()
        self.kill()

    @property
    def is_abandoned(self) -> bool:
        return self._abandoned.is_set()

    def close(self) -> None:
        """The last call of the thread that asks; another one may not close what this one reads."""
        self.kill()
        if self._answers is not None:
            self._answers.close()

    def kill(self) -> None:
        """Ends the process and whoever it started in its session."""
        process, self._process = self._process, None
        if process is None:
            return
        with suppress(OSError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        for stream in (process.stdin, self._errors):
            with suppress(OSError, ValueError):
                if stream is not None:
                    stream.close()

    def _last_words(self) -> str:
        with suppress(OSError, ValueError):
            if self._errors is not None:
                self._errors.seek(max(0, self._errors.seek(0, os.SEEK_END) - CHATTER))
                lines = self._errors.read().decode(errors="replace").strip().splitlines()
                return f" ({lines[-1][:200]})" if lines else ""
        return ""
