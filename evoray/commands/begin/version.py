"""``evoray --version``: what an answer depends on, on one line."""

from __future__ import annotations

from typing import Annotated

import typer

NAMED = ("evoray", "torch", "ray")


def version_line() -> str:
    """``evoray 0.1.0, torch 2.9.1, ray 2.60.0``; nothing is imported for it."""
    return ", ".join(f"{name} {_version(name)}" for name in NAMED)


def _version(name: str) -> str:
    from importlib import metadata  # help does not wait for it

    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not installed"


def _print(asked: bool) -> None:
    if asked:
        typer.echo(version_line())
        raise typer.Exit


def version(
    asked: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_print, help="Print the versions and stop.")
    ] = False,
) -> None:
    """The options that stand before a command's name."""
