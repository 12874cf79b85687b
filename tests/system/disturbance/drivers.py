"""Drivers as processes: begun from one process that has imported everything, heard, and waited for."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import time
from pathlib import Path

from disturbance import drive

PRELOAD = (
    *("torch", "torch.utils._device", "pandas", "pyarrow.parquet", "pyarrow.pandas_compat", "dateutil.easter"),
    *("evoray.evolution", "evoray.search.window", "evoray.commands.common", "evoray.backends.local"),
    *("evoray.report.page", "evoray.report.window", "evoray.models.small", "rich.console", "cmaes", "tokenizers"),
    *(f"transformers.models.{one}.modeling_{one}" for one in ("auto", "bert", "gpt2", "llama")),
    *("transformers.tokenization_utils_tokenizers", "transformers.generation.utils"),
)
"""All that a run imports as it goes, so that each driver finds it there."""


class Drivers:
    """Begins drivers; ``preload`` names modules beside the usual ones."""

    def __init__(self, preload=()) -> None:
        os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
        os.environ["TOKENIZERS_PARALLELISM"] = "false"
        os.environ["PYTHONPATH"] = str(Path(__file__).resolve().parents[1])
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload([*PRELOAD, *preload])

    def start(self, order: drive.Order) -> Driver:
        return Driver(self._context, order)


class Driver:
    """One driver: ``heard`` gives what it tells, in order."""

    def __init__(self, context, order: drive.Order) -> None:
        self.order = order
        self.pipe, other = context.Pipe()
        self._process = context.Process(target=drive.drive, args=(other, order))
        self._process.start()
        other.close()
        self.pid = self._process.pid
        self.lengths: dict[str, float] = {}

    @property
    def alive(self) -> bool:
        return self._process.is_alive()

    def heard(self, seconds: float):
        """The next moment, (stage, share); None after so many seconds, or once it has ended."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            try:
                if self.pipe.poll(min(0.5, max(0.0, deadline - time.monotonic()))):
                    what, *told = self.pipe.recv()
                    if what == "at":
                        return tuple(told)
                    self.lengths = told[0]
            except (OSError, EOFError):
                self._process.join(max(0.0, deadline - time.monotonic()))
                return None
            if not self.alive:
                return None
        return None

    def go_on(self) -> None:
        """After a moment it told of."""
        with contextlib.suppress(OSError):
            self.pipe.send(None)

    def send(self, number: signal.Signals) -> bool:
        """Whether it was there to get the signal."""
        if not self.alive:
            return False
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, number)
            return True
        return False

    def ended(self, seconds: float) -> int | None:
        """Its exit code; None when it has not ended by then."""
        deadline = time.monotonic() + seconds
        while self.alive and time.monotonic() < deadline:
            if self.heard(min(1.0, max(0.0, deadline - time.monotonic()))):
                self.go_on()
        return self.exit_code()

    def exit_code(self) -> int | None:
        """None while it lives; negative: the signal that ended it."""
        return None if self.alive else self._process.exitcode

    def close(self) -> None:
        if self.alive:
            self.send(signal.SIGKILL)
            self._process.join(30)
        with contextlib.suppress(OSError):
            self.pipe.close()

    def said(self) -> str:
        """What it printed."""
        return Path(self.order.log).read_text(errors="replace")
