"""Help as plain text: it waits for nothing heavy, and looks the same on a terminal, in a file and in a log.

No line is broken inside a word, so whatever stands there can be copied.
"""

import re
import shutil
import textwrap
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

import typer
from typer.core import TyperCommand, TyperGroup

from evoray.runtime.reading import screen

NARROW, WIDE = 50, 110
"""Columns that a help takes at least and at most."""
LONGEST = 30
"""Of what stands in the first column; beyond it the text begins on the next line."""
LARGE = 2**40
"""A bound beyond it is none that a user meets."""
HELP = {"help_option_names": ["-h", "--help"]}
_TYPE = re.compile(r"<(?:list\[)?(?P<kind>[^]<>]+?)(?: range)?\]?>|(?<= )(?P<older>INTEGER|FLOAT)(?: RANGE)?$")
_WORDS = {"str": "TEXT", "int": "N", "integer": "N", "float": "X", "path": "PATH", "file": "FILE", "directory": "DIR"}
_BOUNDS = re.compile(r"(?P<low>-?[\d.]+)<=x(?:<=(?P<high>[\d.]+))?|x<=(?P<most>[\d.]+)")
Command = TypeVar("Command", bound=Callable[..., Any])
Rows = list[tuple[str, str]]


class _Plain:
    """What commands and groups of them have in common."""

    def get_help(self, ctx: Any) -> str:
        """The whole help: usage, what it does, and a line or more for each argument, option and command."""
        width = min(max(shutil.get_terminal_size().columns, NARROW), WIDE)
        return "\n".join(_lines(self, ctx, width)).rstrip()

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        with _plain_complaints():
            found: list[str] = super().parse_args(ctx, args)  # type: ignore[misc]
            return found

    def invoke(self, ctx: Any) -> Any:
        with _plain_complaints():
            return super().invoke(ctx)  # type: ignore[misc]


class PlainCommand(_Plain, TyperCommand):
    """A command whose complaints about an option show what was given so that it cannot steer the terminal."""


class PlainGroup(_Plain, TyperGroup):
    """The same of several commands."""


class App(typer.Typer):
    """Commands with plain help, which ``-h`` shows as well."""

    def __init__(self, **settings: Any) -> None:
        plain = {"cls": PlainGroup, "context_settings": HELP, "rich_markup_mode": None}
        super().__init__(**{**plain, "pretty_exceptions_enable": False, **settings})

    def command(self, name: str | None = None, **settings: Any) -> Callable[[Command], Command]:
        return super().command(name, **{"cls": PlainCommand, "context_settings": HELP, **settings})


@contextmanager
def _plain_complaints() -> Iterator[None]:
    try:
        yield
    except Exception as error:
        if isinstance(message := getattr(error, "message", None), str) and hasattr(error, "format_message"):
            vars(error)["message"] = screen(message)
        raise


def _lines(command: Any, ctx: Any, width: int) -> Iterator[str]:
    arguments, options = _rows(command, ctx)
    commands = _commands(command, ctx)
    words = ["COMMAND"] if commands else [name for name, _ in arguments]
    yield from wrapped(f"Usage: {ctx.command_path} [OPTIONS] {' '.join(words)}", width, "    ")
    yield ""
    for paragraph in (command.help or "").split("\n\n"):
        yield from (f"  {line}" for line in wrapped(" ".join(paragraph.split()), width - 2))
        yield ""
    for title, rows in (("Arguments", arguments), ("Options", options), ("Commands", commands)):
        if rows:
            yield f"{title}:"
            yield from _table(rows, width)
            yield ""


def _rows(command: Any, ctx: Any) -> tuple[Rows, Rows]:
    """Arguments, and options, each with what is to be said of it."""
    arguments, options = [], []
    for one in command.get_params(ctx):
        if (record := one.get_help_record(ctx)) is None:
            continue
        name, text = record
        if one.param_type_name == "argument":
            name = one.metavar or one.name.upper()
            arguments.append((name if one.required else f"[{name}]", _bounded(text.replace("[required]", ""))))
        else:
            options.append((_typed(name), _bounded(text)))
    return arguments, options


def _commands(command: Any, ctx: Any) -> Rows:
    named: Mapping[str, Any] = getattr(command, "commands", {})
    return [(name, one.get_short_help_str(10_000)) for name, one in named.items() if not one.hidden]


def _table(rows: Rows, width: int) -> Iterator[str]:
    """Two columns, the second one wrapped beside the first."""
    first = max((len(name) for name, _ in rows if len(name) <= LONGEST), default=LONGEST)
    for name, text in rows:
        lines = wrapped(text, width - first - 4) or [""]
        if len(name) > first:
            yield f"  {name}"
        else:
            yield f"  {name:<{first}}  {lines.pop(0)}".rstrip()
        yield from (" " * (first + 4) + line for line in lines)


def wrapped(text: str, width: int, further: str = "") -> list[str]:
    """Lines of at most ``width`` columns, broken at blanks alone; further: what lines after the first begin with."""
    return textwrap.wrap(text, width, subsequent_indent=further, break_long_words=False, break_on_hyphens=False)


def _typed(name: str) -> str:
    """``--out TEXT`` for ``--out <str>``; choices stay as they are."""

    def word(found: re.Match[str]) -> str:
        kind = found["kind"] or found["older"]
        return _WORDS.get(kind.lower(), kind)

    return _TYPE.sub(word, name)


def _bounded(text: str) -> str:
    """``1 to 4,096`` for ``1<=x<=4096``; a bound that nobody meets is left out."""

    def words(found: re.Match[str]) -> str:
        low, high = found["low"], found["high"] or found["most"]
        if high is not None and float(high) > LARGE:
            high = None
        if low is None:
            return f"at most {_number(high)}" if high else ""
        return f"{_number(low)} to {_number(high)}" if high else f"at least {_number(low)}"

    return " ".join(_BOUNDS.sub(words, text).split())


def _number(text: str) -> str:
    return f"{int(text):,}" if text.lstrip("-").isdigit() else text
