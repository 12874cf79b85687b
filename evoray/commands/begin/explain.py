"""``evoray explain``: what a key of a run's configuration means."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from evoray.commands.common import Json

if TYPE_CHECKING:
    from evoray.begin.explain import Key, SectionOf


def explain(
    key: Annotated[
        str,
        typer.Argument(
            help="A key such as mutation.sigma or sigma, or a section such as search; left out: all there are."
        ),
    ] = "",
    as_json: Json = False,
) -> None:
    """Say what a key or a section of the configuration means, what it takes, and its default."""
    from rich.console import Console

    from evoray.begin.explain import SectionOf, all_sections, explained

    found = explained(key) if key else list(all_sections().values())
    if as_json:
        typer.echo(json.dumps([one.to_dict() for one in found]))
        return
    width = Console(emoji=False).width
    if not key:
        typer.echo("\n\n".join("\n".join(_names(one, width)) for one in found if isinstance(one, SectionOf)))
        return
    for number, one in enumerate(found):
        lines = _section(one, width) if isinstance(one, SectionOf) else _key(one, width)
        typer.echo("\n".join([*([""] if number else []), *lines]))


def _key(key: Key, width: int) -> list[str]:
    from evoray.begin.said import beside, folded

    section, _, last = key.name.rpartition(".")
    with_ = f" (where {section}.{' or '.join(key.goes_with)})" if key.goes_with else ""
    rows = [("takes", key.takes), ("default", "none: it has to be given" if key.required else key.default or "none")]
    if key.example != key.default:
        rows.append(("example", f"{last} = {key.example}"))
    rows.append(("stands in", f"[{section}]" if section else "the top of the file, before any section"))
    if key.may_change:
        rows.append(("resume", "may be another when a run goes on with --resume"))
    rows.append(("read by", key.declared))
    return [
        *folded(f"{key.name}{with_}", width),
        *(f"  {line}" for line in folded(key.meaning, width - 2)),
        *beside(rows, width, 2),
    ]


def _section(section: SectionOf, width: int) -> list[str]:
    from evoray.begin.said import beside, folded

    title = f"[{section.name}]" if section.name else "at the top"
    lines = [title, *(f"  {line}" for line in folded(section.meaning, width - 2))]
    rows = [(key.name.rpartition(".")[2], _in_short(key)) for key in section.keys]
    lines += ["", *beside(rows, width, 2)]
    if section.variants:
        lines += ["", *beside(section.variants.items(), width, 2)]
    return lines


def _names(section: SectionOf, width: int) -> list[str]:
    """A section in two lines or three: what it is, and its keys, each once."""
    from evoray.begin.said import folded

    names = dict.fromkeys(key.name.rpartition(".")[2] for key in section.keys)
    title = f"[{section.name}] {section.meaning}" if section.name else section.meaning
    return [*folded(title, width), *(f"  {line}" for line in folded(", ".join(names), width - 2))]


def _in_short(key: Key) -> str:
    default = "" if key.default is None else f" Default {key.default}."
    only = f" Where {' or '.join(key.goes_with)}." if key.goes_with else ""
    return f"{key.meaning}{default}{only}"
