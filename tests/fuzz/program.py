"""The command line in this process, and what a bad input may cost: one message, bounded memory and time."""

from __future__ import annotations

import contextlib
import functools
import io
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer

from evoray.cli import app
from evoray.commands.common import guarded

SECONDS, MEMORY = 20.0, 2**30
"""What one bad input may take, and what it may use above what the program uses by itself."""
STEERS = [chr(code) for code in (*range(9), *range(11, 32), *range(127, 160), 0x202E, 0x2066)]


@dataclass(frozen=True)
class Outcome:
    """code: None where something else than an exit came through; memory in bytes above what was used before."""

    code: int | None
    out: str
    errors: str
    seconds: float
    memory: int

    @property
    def message(self) -> str:
        """What was said, without the terminal's line breaks."""
        return " ".join(self.errors.split())


def call(*arguments: object) -> Outcome:
    """One command, as ``evoray ARGUMENTS`` would run it."""
    argv = sys.argv
    sys.argv = ["evoray", *map(str, arguments)]
    try:
        return ran(commands())
    finally:
        sys.argv = argv


def ran(function: Callable[[], object]) -> Outcome:
    """What the command line would make of a function of the library: its errors become a message and an exit code."""
    out, errors = io.StringIO(), io.StringIO()
    before = _start_of_peak()
    started = time.perf_counter()
    code: int | None = 0
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(errors):
            guarded(function)
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 0 if end.code is None else 1
    except BaseException:
        code = None
        errors.write(traceback.format_exc())
    return Outcome(code, out.getvalue(), errors.getvalue(), time.perf_counter() - started, _peak() - before)


@functools.cache
def commands() -> Any:
    """Parsed once: Typer looks at every command's signature each time, which takes longer than most refusals."""
    return typer.main.get_command(app)


def assert_clean(outcome: Outcome, *, may_be_good: bool = False) -> None:
    """One message and exit 1 or 2; where the damage may be harmless, a good end too."""
    assert outcome.code is not None, outcome.errors
    assert "Traceback" not in outcome.errors + outcome.out, outcome.errors
    assert outcome.code in ((0, 1, 2) if may_be_good else (1, 2)), (outcome.code, outcome.errors[-2000:])
    if outcome.code:
        assert outcome.errors.strip(), "refused without a word"
        assert len(outcome.errors) < 4000 and outcome.errors.count("\n") < 40, "more than a screen"
    for letter in STEERS:
        assert letter not in outcome.errors + outcome.out, f"{letter!r} reached the terminal"
    assert outcome.seconds < SECONDS
    assert outcome.memory < MEMORY, f"{outcome.memory / 2**20:.0f} MiB"


def _start_of_peak() -> int:
    """Lets the kernel count this process's largest memory from now on; what it is now."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
    return _status("VmRSS")


def _peak() -> int:
    return _status("VmHWM")


def _status(name: str) -> int:
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(name))
    return int(line.split()[1]) * 1024
