"""Help in a terminal of 80 and of 120 columns, without colour."""

from __future__ import annotations

import re

import pytest


def paths(command, before=()):
    yield before
    for name, inner in getattr(command, "commands", {}).items():
        yield from paths(inner, (*before, name))


@pytest.mark.parametrize("columns", [80, 120])
def test_help_keeps_to_the_terminal_and_breaks_no_word(evoray, monkeypatch, columns):
    import typer

    from evoray.cli import app

    monkeypatch.setenv("NO_COLOR", "1")
    for path in paths(typer.main.get_command(app)):
        said, wide = (evoray(*path, "--help", columns=one) for one in (columns, 400))
        assert "\x1b" not in said and max(map(len, said.splitlines())) <= columns, path
        words, whole = (set(re.findall(r"\S+", one)) for one in (said, wide))
        assert words <= whole, f"{path}: {sorted(words - whole)}"
