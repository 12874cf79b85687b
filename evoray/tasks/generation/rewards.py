"""A user's reward, asked in a process of its own: one that hangs or dies is ended, and the next record has a new one.

A time limit in a thread of a worker cannot be kept by a signal, which only a main thread gets, nor by waiting: what
hangs would hang on. Cost: two frames on a pipe for each list of answers and some 20 microseconds an answer.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import select
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from evoray.errors import ConfigError
from evoray.runtime.reading import shown
from evoray.tasks.generation.asking import HEAD, Question, write_frame

START_SECONDS = 120.0
"""Which importing the user's module may take."""


class Judged(NamedTuple):
    """Of one answer. reward: None where it failed; voted: the text that is voted on; failure: what went wrong."""

    reward: float | None
    voted: str
    failure: str = ""


class Rewards:
    """Asks ``package.module:function`` for rewards. Processes start when they are needed.

    Args:
        name, answer: functions; ``answer`` may be empty, for the text without white space around it.
        seconds: that one answer may take.
        config_dir: where the functions' module is looked for.
    """

    def __init__(self, name: str, answer: str, seconds: float, config_dir: Path | None) -> None:
        self._command = [name, answer, str(config_dir or ""), repr(seconds)]
        self.name, self._seconds = name, seconds
        self._process: _Process | None = None
        self._lock = threading.Lock()

    def ask(self, questions: Sequence[Question]) -> list[Judged]:
        """In order, one for each. Raises ConfigError where the functions cannot be imported."""
        found: list[Judged] = []
        with self._lock:
            while len(found) < len(questions):
                process = self._process or _Process(self._command)
                self._process = process
                found += process.ask(questions[len(found) :], self._seconds)
                if len(found) < len(questions):
                    found.append(process.lost(questions[len(found)], self._seconds))
                    self._close()
        return found

    def renewed(self) -> None:
        """The next answer is judged by a process that knows nothing of the others."""
        with self._lock:
            self._close()

    def _close(self) -> None:
        if self._process is not None:
            self._process.close()
            self._process = None


class _Process:
    def __init__(self, command: Sequence[str]) -> None:
        path = os.pathsep.join(part for part in sys.path if part)
        self._own = subprocess.Popen(
            [sys.executable, "-m", "evoray.tasks.generation.asking", *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
        )
        self.close = weakref.finalize(self, _end, self._own)
        self._held = bytearray()
        self._slow = False
        said = self._read(START_SECONDS)
        if said != "ready":
            self.close()
            raise ConfigError(said or f"task.reward = {command[0]!r}: the process that imports it ended or hung.")

    def ask(self, questions: Sequence[Question], seconds: float) -> list[Judged]:
        """Replies as far as they came."""
        found: list[Judged] = []
        try:
            assert self._own.stdin is not None
            write_frame(self._own.stdin, list(questions))  # type: ignore[arg-type]
        except OSError:
            return found
        while len(found) < len(questions):
            reply = self._read(seconds)
            if reply is None:
                break
            found.append(Judged(*reply))
        return found

    def lost(self, question: Question, seconds: float) -> Judged:
        """Of the answer that no reply came for."""
        voted = question[1].strip()
        if self._slow:
            return Judged(None, voted, f"it took more than {seconds:g} s, and was ended (task.reward_seconds)")
        code = self._own.wait()
        how = f"signal {-code}" if code < 0 else f"exit status {code}"
        return Judged(None, voted, f"it ended its process ({shown(how)})")

    def _read(self, seconds: float) -> Any:
        """The next frame; None where none came in time, or the process has ended."""
        assert self._own.stdout is not None
        file, until = self._own.stdout.fileno(), time.monotonic() + seconds
        waiting = select.poll()
        waiting.register(file, select.POLLIN)
        while (whole := self._frame()) is None:
            if not waiting.poll(max(until - time.monotonic(), 0) * 1000):
                self._slow = True
                return None
            more = os.read(file, 1 << 16)
            if not more:
                return None
            self._held += more
        return whole

    def _frame(self) -> Any:
        if len(self._held) < HEAD.size:
            return None
        (size,) = HEAD.unpack(self._held[: HEAD.size])
        if len(self._held) < HEAD.size + size:
            return None
        content = bytes(self._held[HEAD.size : HEAD.size + size])
        del self._held[: HEAD.size + size]
        return pickle.loads(content)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with contextlib.suppress(OSError):  # what was not sent yet is lost with it
                pipe.close()
    process.wait()
