"""``evoray export`` and ``evoray rebuild``: one network of a run as a checkpoint."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Annotated

import typer

from evoray.commands.common import Json
from evoray.commands.files import check_file, check_run
from evoray.errors import UsageError
from evoray.runtime.paths import CHECKPOINTS, expanded
from evoray.runtime.reading import shown

OF_ONNX = " Of an onnx parent an .onnx file may be named, too."
Towards = Annotated[
    list[Path] | None,
    typer.Option(
        help="A checkpoint of kind towards, once for each, in any order; where the run found them is the default."
    ),
]
Force = Annotated[bool, typer.Option("--overwrite", help="Replace the output file if it exists.")]


def export(
    run_directory: Annotated[str, typer.Argument(metavar="RUN")],
    member: Annotated[
        str, typer.Argument(help="parent, best, soup, soup_recalibrated, or a child such as g0000/c0012.")
    ],
    output: Annotated[
        Path,
        typer.Option(
            "-o",
            "--output",
            help="A .safetensors file; of a transformers parent a folder, of an onnx parent an .onnx file, too.",
        ),
    ],
    parent: Annotated[
        Path | None, typer.Option(help="The parent's checkpoint or folder, where the run keeps none.")
    ] = None,
    towards: Towards = None,
    overwrite: Force = False,
    as_json: Json = False,
) -> None:
    """Write one network of a run as a checkpoint; refuses when any digest differs."""
    check_run(run_directory)
    if parent:
        check_file(parent, "the parent's checkpoint or folder")
    from evoray.results.export import export_member
    from evoray.results.folder import comes_in_a_folder, export_folder
    from evoray.storage.directory import RunDirectory

    output, parent = _expanded(output), _expanded(parent) if parent else None
    directory, others = RunDirectory(run_directory), [_expanded(one) for one in towards or ()]
    if not output.name.endswith(CHECKPOINTS) and comes_in_a_folder(directory):
        digest = export_folder(directory, member, output, parent, overwrite, others)
    else:
        _check_output(output, overwrite)
        digest = export_member(directory, member, output, parent, others)
    _written(output, digest, as_json)


def rebuild(
    lineage: Annotated[Path, typer.Argument(help="A lineage file.")],
    parent: Annotated[Path, typer.Argument(help="The parent's checkpoint.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="A .safetensors file, or .onnx.")],
    towards: Towards = None,
    overwrite: Force = False,
    as_json: Json = False,
) -> None:
    """Rebuild a network from its lineage and its parent alone; refuses when any digest differs."""
    output = _expanded(output)
    _check_output(output, overwrite)
    check_file(lineage, "a lineage file of a run, such as lineage/soup.json")
    check_file(parent, "the parent's checkpoint")
    from evoray.results.export import rebuild_file

    others = [_expanded(one) for one in towards or ()]
    _written(output, rebuild_file(_expanded(lineage), _expanded(parent), output, others), as_json)


def _expanded(path: Path) -> Path:
    return Path(expanded(str(path)))


def _check_output(output: Path, overwrite: bool) -> None:
    if output.suffix not in (".safetensors", ".onnx") or "\0" in str(output):
        raise UsageError(f"{shown(output)}: name a .safetensors file.{OF_ONNX}")
    if os.path.lexists(output) and not overwrite:
        raise UsageError(f"{shown(output)}: exists already. Name another file, or add --overwrite.")
    if os.path.lexists(output) and not output.is_file():
        raise UsageError(f"{shown(output)}: not a regular file, so it is not replaced. Name another file.")
    if not output.parent.is_dir():
        raise UsageError(f"{shown(output)}: no such directory {shown(output.parent)}.")


def _written(output: Path, digest: str, as_json: bool) -> None:
    typer.echo(
        json.dumps({"file": str(output), "weights_sha256": digest})
        if as_json
        else f"{shown(output)}  weights sha256 {digest}"
    )
