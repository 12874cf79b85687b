"""Help in a terminal of 80 and of 120 columns, without colour."""

from __future__ import annotations

import re


def paths(command, before=()):
    yield before
    for name, inner in getattr(command, "commands", {}).items():
        yield from paths(inner, (*before, name))


def test_help_keeps_to_the_terminal_and_breaks_no_word(evoray, monkeypatch):
    import typer

    from evoray.cli import app

    monkeypatch.setenv("NO_COLOR", "1")
    for path in paths(typer.main.get_command(app)):
        narrow, wide = (evoray(*path, "--help", columns=columns) for columns in (80, 120))
        for columns, said in ((80, narrow), (120, wide)):
            assert "\x1b" not in said and max(map(len, said.splitlines())) <= columns, path
        words, whole = (set(re.findall(r"\S+", said)) for said in (narrow, wide))
        assert words <= whole, f"{path}: {sorted(words - whole)}"
