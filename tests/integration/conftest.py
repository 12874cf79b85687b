from __future__ import annotations

import sys

import pytest


@pytest.fixture
def cli(monkeypatch, capsys):
    """Runs the command line in this process: (exit code, stdout, stderr)."""

    def run(*arguments):
        from program import commands

        from evoray.commands.common import guarded

        monkeypatch.setattr(sys, "argv", ["evoray", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            guarded(commands())  # as the program does, but for parsing the commands anew
        captured = capsys.readouterr()
        return ended.value.code, captured.out, captured.err

    return run
