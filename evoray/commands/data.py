"""``evoray data``: shards from images."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from evoray.commands.common import Bars, Json, say
from evoray.commands.terminal.help import App
from evoray.errors import UsageError
from evoray.runtime.reading import SCREEN, screen, shown

NAMED = 20
"""Damaged shards that are named one by one; ``--json`` has them all."""

Dest = Annotated[str, typer.Argument(help="A directory of shards, or the URI of one.")]

data = App(help="Shards of images or other records: ingest, verify, show.", no_args_is_help=True)


@data.command("ingest")
def data_ingest(
    source: Annotated[str, typer.Argument(help="Folder, tar, Parquet or pattern, or package.module:function.")],
    dest: Annotated[Path, typer.Argument(help="A new directory for the shards.")],
    config: Annotated[Path | None, typer.Option("--for", help="Take the transform of this run's parent.")] = None,
    resize: Annotated[str | None, typer.Option(help="Shorter side in pixels, or none; default 256.")] = None,
    crop: Annotated[int | None, typer.Option(min=1, max=8192, help="Centre crop in pixels; default 224.")] = None,
    interpolation: Annotated[str, typer.Option(help="bilinear or bicubic.")] = "bilinear",
    channels: Annotated[int, typer.Option(help="1 or 3.")] = 3,
    decoder: Annotated[
        str, typer.Option(help="pil: the reference's bytes; torchvision: faster, off by 1 of 255, hardly ever by 2.")
    ] = "pil",
    kind: Annotated[
        str | None,
        typer.Option("--format", help="folder, flat, ilsvrc, parquet or webdataset; default: what is found."),
    ] = None,
    labels: Annotated[
        Path | None,
        typer.Option(help="Of a flat folder: its labels or targets, or ILSVRC2012's devkit; default: beside it."),
    ] = None,
    file_column: Annotated[
        str | None, typer.Option(help="Column of the files (or images) by name or number; a WebDataset's by suffix.")
    ] = None,
    label_column: Annotated[
        str | None, typer.Option(help="Column of the labels by name or number; a WebDataset's by suffix or JSON key.")
    ] = None,
    follow_links: Annotated[bool, typer.Option("--follow-links", help="Open links that lead out of a tree.")] = False,
    split: Annotated[
        str | None, typer.Option(help="Of a tree with several: their names with commas between, all, or none.")
    ] = None,
    only: Annotated[
        list[str] | None,
        typer.Option(
            metavar="COLUMN=VALUE,…", help='Lines (rows of Parquet) that count: split=train, or city="Paris, FR".'
        ),
    ] = None,
    as_classes: Annotated[
        bool, typer.Option("--as-classes", help="Each label is a class, also where it looks like tags or a measure.")
    ] = False,
    task: Annotated[
        str | None, typer.Option(help="What the records are for; default: the configuration's, else images by class.")
    ] = None,
    inputs: Annotated[
        list[str] | None, typer.Option("--input", metavar="COLUMN", help="Of a table; x* is a pattern; repeatable.")
    ] = None,
    targets: Annotated[
        list[str] | None, typer.Option("--target", metavar="COLUMN", help="Of a table; repeatable.")
    ] = None,
    masks: Annotated[Path | None, typer.Option(help="Of --task segmentation: the folder of the images' masks.")] = None,
    palette: Annotated[
        str | None,
        typer.Option(metavar="VALUE=CLASS,…", help="What masks' values or colours (#804080) mean, or a file of that."),
    ] = None,
    listed_only: Annotated[
        bool, typer.Option("--listed-only", help="Leave out images that the list of labels does not name.")
    ] = False,
    truncate: Annotated[
        bool, typer.Option("--truncate", help="Cut texts that are longer than the parent's context.")
    ] = False,
    per_class: Annotated[
        int | None, typer.Option(min=1, max=2**26, help="Images of each class, chosen by the seed.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, max=2**63 - 1)] = 0,
    workers: Annotated[int | None, typer.Option(min=1, max=256, help="Processes; default one a core.")] = None,
    backend: Annotated[str, typer.Option(help="local, or ray: one shard a task on every node.")] = "local",
    shard_size: Annotated[int, typer.Option(min=1, max=2**20, help="Images a shard.")] = 1024,
    restart: Annotated[bool, typer.Option("--restart", help="Throw away another, interrupted ingest.")] = False,
    as_json: Json = False,
) -> None:
    """Decode images once, into shards that every run maps into memory. Stopped, the same command goes on."""
    from evoray.runtime.forkserver import DECODERS, preload

    if backend == "local" and decoder in DECODERS and workers != 1:
        preload(decoder)
    from evoray.ingest.labels.division import merged
    from evoray.ingest.options import Options, ingest
    from evoray.ingest.records.ingest import ingest_records, wanted_of

    options = Options(
        config=config,
        resize=resize,
        crop=crop,
        interpolation=interpolation,
        channels=channels,
        decoder=decoder,
        format=kind,
        labels=labels,
        file_column=file_column,
        label_column=label_column,
        follow_links=follow_links,
        split=split,
        only=merged(only or []),
        as_classes=as_classes,
        listed_only=listed_only,
        per_class=per_class,
        seed=seed,
        workers=workers,
        backend=backend,
        shard_size=shard_size,
        restart=restart,
        truncate=truncate,
        masks=masks,
        palette=palette,
    )
    with Bars("the same command goes on") as bars:
        wanted = wanted_of(options, task, tuple(inputs or ()), tuple(targets or ()))
        if wanted is None:
            summary = ingest(source, dest, options, bars)
        else:
            summary = ingest_records(source, dest, wanted, bars, options)
    if as_json:
        typer.echo(json.dumps(summary))
    else:
        _tell_ingested(summary, dest)


def _tell_ingested(summary: dict[str, Any], dest: Path) -> None:
    what = "records" if "task" in summary else f"images of {summary['classes']} classes"
    typer.echo(
        f"{summary['rows']} {what} in {summary['shards']} shards, "
        f"{summary['images_per_s']:.0f} {what.split()[0]}/s: {shown(dest)}"
    )
    for bad in summary["unreadable"][:10]:
        typer.echo(f"  skipped {shown(bad['source'])}: {shown(bad['error'])}", err=True)
    if len(summary["unreadable"]) > 0:
        typer.echo(f"{len(summary['unreadable'])} unreadable files skipped (all in manifest.json)", err=True)


@data.command("verify")
def data_verify(dest: Dest, as_json: Json = False) -> None:
    """Check every shard's digest against the manifest."""
    from evoray.data import place_of, read_manifest, verify
    from evoray.data.checks.verify import counted_in

    place = place_of(dest)
    with Bars("the same command begins again") as bars:
        found = verify(place, bars.counter("verify", counted_in(read_manifest(place))))
    if as_json:
        typer.echo(json.dumps({"rows": found.rows, "shards": found.shards, "damaged": found.damaged}))
    else:
        for message in found.damaged[:NAMED]:
            typer.echo(screen(message), err=True)
        whole = "all whole" if not found.damaged else f"{len(found.damaged)} damaged"
        typer.echo(f"{found.rows} {found.counted} in {found.shards} shards, {whole}: {shown(place)}")
    if found.damaged:
        sys.exit(UsageError.exit_code)


@data.command("show")
def data_show(dest: Dest, as_json: Json = False) -> None:
    """Print what a shard directory holds."""
    from rich.console import Console

    from evoray.begin.said import beside
    from evoray.data import described, place_of, read_manifest

    manifest = read_manifest(place_of(dest))
    if as_json:
        typer.echo(manifest.model_dump_json())
        return
    rows = [(key, shown(value, SCREEN)) for key, value in described(manifest)]
    for line in beside(rows, Console(emoji=False).width):
        say(line)
