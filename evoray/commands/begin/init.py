"""``evoray init``: a commented configuration from a parent and data."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from evoray.commands.common import Json, say


def init(
    parent: Annotated[
        str, typer.Option(help="A checkpoint, an architecture, module:function, a transformers folder, or an .onnx.")
    ],
    data: Annotated[str, typer.Option(help="Shards, or what is to be ingested: images, a table, texts.")],
    out: Annotated[Path, typer.Option(help="The configuration to be written.")] = Path("run.toml"),
    weights: Annotated[str | None, typer.Option(help="A checkpoint, for an architecture or module:function.")] = None,
    task: Annotated[str | None, typer.Option(help="Where parent and data do not say it.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Write over a file that is there.")] = False,
    as_json: Json = False,
) -> None:
    """Write a commented run.toml for a parent and data. Nothing is run, decoded or downloaded."""
    from evoray.begin.init.init import begin

    found = begin(parent, data, out, weights=weights, task=task, force=force)
    if as_json:
        steps = {"ingest": found.ingest, "to_do": list(found.to_do), "then": list(found.then)}
        typer.echo(json.dumps({"path": str(found.path), "found": list(found.said), **steps}))
        return
    for sentence in found.said:
        say(sentence)
    say("")
    say(f"{found.path}: written. What comes next:")
    for number, step in enumerate((*found.to_do, *((found.ingest,) if found.ingest else ()), *found.then), 1):
        say(f"  {number}. {step}")
