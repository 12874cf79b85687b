"""``evoray doctor``: whether this machine is ready, and what to do where it is not."""

from __future__ import annotations

import json
import sys

import typer

from evoray.commands.common import Json

LEVEL, COLUMN = 10, 30
"""Where names and findings begin."""
STYLES = {"good": "green", "attention": "yellow", "bad": "bold red"}


def doctor(as_json: Json = False) -> None:
    """Look at Python, torch, GPUs, memory, Ray, tokens, ports and disk, and say what to do."""
    from evoray.begin.doctor import diagnosis

    found = []
    for one in diagnosis():
        found.append(one)
        if not as_json:
            _print(one.level, one.what, f"{one.found}{f'. {one.remedy}' if one.remedy else ''}")
    wrong = sum(one.level == "bad" for one in found)
    if as_json:
        typer.echo(json.dumps([one.to_dict() for one in found]))
    else:
        noted = sum(one.level == "attention" for one in found)
        typer.echo(f"\n{wrong} bad, {noted} worth attention, {len(found) - wrong - noted} good")
    sys.exit(1 if wrong else 0)


def _print(level: str, what: str, text: str) -> None:
    from rich.console import Console
    from rich.text import Text

    from evoray.begin.said import folded
    from evoray.runtime.reading import screen

    console = Console(emoji=False, highlight=False, soft_wrap=True)
    lines = folded(screen(text), max(console.width - COLUMN, 24))
    head = Text(f"{level:<{LEVEL}}", style=STYLES[level])
    console.print(head + Text(f"{what:<{COLUMN - LEVEL}}{lines[0]}"))
    for line in lines[1:]:
        console.print(Text(" " * COLUMN + line))
