"""Peers in an environment of their own: a process that uv starts with their pinned packages, asked a task a line.

All gradient-free peers run there, also those that need no package: EvoRay changes how its process treats memory
(``runtime/malloc.py``), and whoever else ran there would gain by it.

``python -m evoray.study.peers.environment`` is that process: it reads tasks from its input and answers each by a line.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import IO

import torch

from evoray.errors import RunError
from evoray.study.peers.arms import PEERS, Task, run_task

PINNED = ("evotorch==0.6.1",)
DONE = "done"


class OwnEnvironment:
    """Starts when it is first asked. log: where what the process says besides is appended.

    Raises:
        RunError: uv is not there, or the process ended or failed.
    """

    def __init__(self, log: Path, pinned: tuple[str, ...] = PINNED) -> None:
        self._log, self._pinned = log, pinned
        self._process: subprocess.Popen[str] | None = None

    def run(self, task: Task) -> None:
        process = self._process = self._process or self._start()
        answer = ""
        if process.poll() is None and process.stdin is not None and process.stdout is not None:
            _say(process.stdin, task.to_json())
            answer = process.stdout.readline().strip()
        if answer != DONE:
            raise RunError(f"{task.arm} on {task.problem.name}: its process failed; {self._log} says why.")

    def close(self) -> None:
        if self._process is not None:
            with self._process as process:  # its pipes are closed, and its end is waited for
                if process.stdin is not None:
                    process.stdin.close()
            self._process = None

    def _start(self) -> subprocess.Popen[str]:
        # the project's torch, so that every arm's forward pass is the same code
        given = [
            part for one in (*self._pinned, f"torch=={torch.__version__.split('+')[0]}") for part in ("--with", one)
        ]
        command = ["uv", "run", "--no-sync", *given, "python", "-m", __name__, str(torch.get_num_threads())]
        root = Path(__file__).parents[3]
        try:
            with open(self._log, "a", encoding="utf-8") as log:
                return subprocess.Popen(
                    command, cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True
                )
        except FileNotFoundError:
            raise RunError(
                "uv: not found; peers get an environment of their own by it. Install it: pip install uv"
            ) from None


def _say(stream: IO[str], line: str) -> None:
    stream.write(line + "\n")
    stream.flush()


def main() -> None:
    """Tasks until the input ends. What libraries print goes to the log, and answers alone to the output."""
    answers, sys.stdout = sys.stdout, sys.stderr
    torch.set_num_threads(int(sys.argv[1]))
    from evoray.study.peers.in_evotorch import SEARCHES

    for line in sys.stdin:
        run_task(Task.from_json(line), {**PEERS, **SEARCHES})
        _say(answers, DONE)


if __name__ == "__main__":
    main()
