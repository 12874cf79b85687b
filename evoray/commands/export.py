"""``evoray export`` and ``evoray rebuild``: one network of a run as a checkpoint."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from evoray.commands.common import Json
from evoray.commands.files import check_file, check_run
from evoray.errors import UsageError
from evoray.runtime.paths import expanded, is_uri
from evoray.runtime.reading import shown

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
    output: Annotated[str, typer.Option("-o", "--output", help="A file whose suffix says the format, or a folder.")],
    form: Annotated[str | None, typer.Option("--format", help="safetensors, torch, onnx, pt2 or hub-folder.")] = None,
    parent: Annotated[
        Path | None, typer.Option(help="The parent's checkpoint or folder, where the run keeps none.")
    ] = None,
    towards: Towards = None,
    overwrite: Force = False,
    pixels: Annotated[
        bool, typer.Option("--pixels", help="Of onnx and pt2: the graph takes uint8 images and normalises them itself.")
    ] = False,
    card: Annotated[bool, typer.Option("--card", help="Write a model card, beside a file or into the folder.")] = False,
    push: Annotated[
        str | None, typer.Option(metavar="HUB_NAME", help="Send the folder to this repository of the Hub, private.")
    ] = None,
    public: Annotated[bool, typer.Option("--public", help="With --push: for everyone to see.")] = False,
    as_json: Json = False,
) -> None:
    """Write one network of a run for others; refuses when any digest differs."""
    check_run(run_directory)
    if parent:
        check_file(parent, "the parent's checkpoint or folder")
    from evoray.sharing.export import Wanted, share
    from evoray.storage.directory import RunDirectory

    wanted = Wanted(
        format=form,
        parent=_expanded(parent) if parent else None,
        towards=[_expanded(one) for one in towards or ()],
        overwrite=overwrite,
        pixels=pixels,
        card=card,
        push=push,
        public=public,
    )
    shared = share(RunDirectory(run_directory), member, _output(output), wanted)
    said = {
        "format": shared.format,
        "card": str(shared.card) if shared.card else None,
        "largest_difference": shared.difference,
        "url": shared.url,
    }
    _written(shared.output, shared.sha256, shared.recipe_bytes, as_json, said)


def rebuild(
    lineage: Annotated[str, typer.Argument(help="A lineage file, or its URI.")],
    parent: Annotated[str, typer.Argument(help="The parent's checkpoint, or its URI.")],
    output: Annotated[str, typer.Option("-o", "--output", help="A .safetensors file, or .onnx.")],
    towards: Towards = None,
    overwrite: Force = False,
    as_json: Json = False,
) -> None:
    """Rebuild a network from its lineage and its parent alone; refuses when any digest differs."""
    target = _output(output)
    _check_output(target, overwrite)
    for one, what in (
        (lineage, "a lineage file of a run, such as lineage/soup.json"),
        (parent, "the parent's checkpoint"),
    ):
        if not is_uri(one):
            check_file(one, what)
    from evoray.results.export import rebuild_file

    others = [_expanded(one) for one in towards or ()]
    recipe, whole = (one if is_uri(one) else _expanded(Path(one)) for one in (lineage, parent))
    found = rebuild_file(recipe, whole, target, others)
    _written(target, found.sha256, len(found.recipe), as_json)


def _output(location: str) -> Path:
    if is_uri(location):
        raise UsageError(
            f"{shown(location)}: name a file or folder of this machine, and copy it to its place afterwards."
        )
    return Path(expanded(location))


def _expanded(path: Path) -> Path:
    return Path(expanded(str(path)))


def _check_output(output: Path, overwrite: bool) -> None:
    if output.suffix not in (".safetensors", ".onnx") or "\0" in str(output):
        raise UsageError(
            f"{shown(output)}: name a .safetensors file. Of an onnx parent an .onnx file may be named, too."
        )
    from evoray.sharing.placing import check_place

    check_place(output, False, overwrite)


def _written(output: Path, digest: str, recipe: int, as_json: bool, more: Mapping[str, Any] | None = None) -> None:
    said = {key: value for key, value in (more or {}).items() if value is not None}
    if as_json:
        typer.echo(json.dumps({"file": str(output), "weights_sha256": digest, "recipe_bytes": recipe} | said))
        return
    typer.echo(f"{shown(output)}  weights sha256 {digest}, recipe {recipe:,} bytes")
    if (apart := said.get("largest_difference")) is not None:
        same = f"answers differ by {apart:.2g} at most" if apart else "the same answers, bit for bit"
        typer.echo(f"read back and tried: {same}")
    if "card" in said:
        typer.echo(f"card: {shown(said['card'])}. It states no licence: write in it which holds.")
    if "url" in said:
        typer.echo(f"sent to {shown(said['url'])}")
