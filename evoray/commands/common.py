"""What the commands share: options, and how they speak. Rich is imported where something is drawn."""

from __future__ import annotations

import io
import json
import re
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from evoray.commands.terminal.bars import Bars as Bars
from evoray.errors import EvorayError
from evoray.runtime.reading import is_short_of_memory, screen

if TYPE_CHECKING:
    from rich.console import Console

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document for machines.")]
Overrides = Annotated[list[str] | None, typer.Option("--set", metavar="A.B=V", help="Override a key; repeatable.")]


def guarded(app: Callable[[], object]) -> None:
    """Runs a command line: EvoRay's own errors become one message and an exit code, never a stack trace.

    What a stranger named (a file, a class, a key) is printed so that it cannot steer the terminal, and whatever
    encoding the terminal has.
    """
    speak_plainly()
    try:
        app()
    except EvorayError as error:
        complain(str(error))
        sys.exit(error.exit_code)
    except Exception as error:
        if not is_short_of_memory(error):
            raise
        complain("this machine's memory does not hold what was asked for. Give less, or take a larger machine.")
        sys.exit(EvorayError.exit_code)


def speak_plainly() -> None:
    """Lets a terminal or a log of another encoding than UTF-8 show what it can, in place of a stack trace."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def complain(message: str) -> None:
    """One message on stderr, at most a screen; what the library calls its arguments are options here."""
    from rich.console import Console
    from rich.markup import escape

    console = Console(emoji=False, stderr=True)
    text = on_lines(f"error {screen(as_options(message))}", console).removeprefix("error ")
    console.print(f"[bold red]error[/] {escape(text)}", highlight=False, soft_wrap=True)


def as_options(message: str) -> str:
    """``--resume`` for ``resume=True``, ``--out`` for ``out=``, and ``--set`` for the key that is set most."""
    message = message.replace('set compute.backend = "local"', "give --set compute.backend=local")
    return re.sub(r"(?<![\w.])out=(?![^\s.,;:)])", "--out", message.replace("resume=True", "--resume"))


def finish(result: Any, as_json: bool) -> None:
    """Prints a finished run."""
    from rich.console import Console

    from evoray.report.tables import print_run

    if as_json:
        typer.echo(json.dumps(result.summary | {"directory": result.directory.location}))
        return
    print_run(result.summary, result.population, Console(emoji=False))
    say(f"report: {result.directory.path('report.html')}")


def say(text: str) -> None:
    """A sentence on stdout, without what would steer a terminal, whose lines are broken between words alone."""
    from rich.console import Console

    console = Console(emoji=False, markup=False, highlight=False, soft_wrap=True)
    console.print(on_lines(screen(text), console))


def on_lines(text: str, console: Console) -> str:
    """Text as a terminal of that width breaks no word of it; a file and a log have no width."""
    if not console.is_terminal:
        return text
    from evoray.begin.said import folded

    lines = (folded(line, console.width) if len(line) > console.width else [line] for line in text.split("\n"))
    return "\n".join(part for parts in lines for part in parts)
