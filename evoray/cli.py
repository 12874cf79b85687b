"""The command line: parses, draws progress, prints; everything it does is a function of the library."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as RichProgress
from rich.table import Table

from evoray.errors import EvorayError, RunError, UsageError
from evoray.progress import Progress

app = typer.Typer(
    help="Fine-tune networks without gradients, by sparse mutations judged on your images, on any Ray cluster.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)
data = typer.Typer(help="Shards of images: ingest, verify, show.", no_args_is_help=True)
app.add_typer(data, name="data")
bench = typer.Typer(help="Measure on this machine.", no_args_is_help=True)
app.add_typer(bench, name="bench")

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document for machines.")]
Force = Annotated[bool, typer.Option("--overwrite", help="Replace the output file if it exists.")]


class Bars(Progress):
    """Draws a run's progress on stderr; quiet when stderr is no terminal."""

    def __init__(self) -> None:
        self._console = Console(stderr=True)
        self._bars = RichProgress(
            TextColumn("{task.description:<18}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[unit]}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=self._console,
        )
        self._task: Any = None

    def __enter__(self) -> Bars:
        self._bars.start()
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        self._bars.stop()
        if kind is KeyboardInterrupt:
            raise RunError("stopped. What was finished is kept: a run goes on with --resume.")

    def stage(self, name: str, total: int) -> None:
        if total:
            self._task = self._bars.add_task(name, total=total, unit="child x shard")

    def advance(self, count: int) -> None:
        self._bars.advance(self._task, count)

    def note(self, text: str) -> None:
        self._console.print(f"[dim]{text}[/dim]", highlight=False)


@app.command()
def demo(
    out: Annotated[Path | None, typer.Option(help="Run directory; default runs/demo-seedN.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the parent's training and of the search.")] = 0,
    backend: Annotated[str, typer.Option(help="ray or local.")] = "ray",
    as_json: Json = False,
) -> None:
    """Evolve a small network on 5,000 packaged real images; ends with a table and a report page."""
    from evoray.demo import demo_config, train_parent
    from evoray.search import evolve

    target = out or _free(Path("runs") / f"demo-seed{seed}")
    weights = target.with_name(f"{target.name}-parent.safetensors")
    weights.parent.mkdir(parents=True, exist_ok=True)
    with Bars() as bars:
        bars.note("training the parent on 800 images")
        train_parent(seed, weights)
        result = evolve(demo_config(seed, weights, backend), target, progress=bars)
    _finish(result, as_json)


@app.command()
def run(
    config: Annotated[Path, typer.Argument(help="The run, in TOML.")],
    out: Annotated[str | None, typer.Option(help="Run directory or URI; default runs/NAME.")] = None,
    overrides: Annotated[
        list[str] | None, typer.Option("--set", metavar="A.B=V", help="Override a key; repeatable.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on where the run stopped.")] = False,
    as_json: Json = False,
) -> None:
    """Run a search from a configuration file."""
    from evoray.config import load_config
    from evoray.search import evolve

    parsed = load_config(config, overrides or ())
    with Bars() as bars:
        result = evolve(
            parsed,
            out or str(Path("runs") / config.stem),
            config_dir=config.parent.resolve(),
            resume=resume,
            progress=bars,
        )
    _finish(result, as_json)


@app.command()
def show(run_directory: Annotated[str, typer.Argument(metavar="RUN")], as_json: Json = False) -> None:
    """Print a finished run's tables."""
    from evoray.report import print_run
    from evoray.store import RunDirectory

    directory = RunDirectory(run_directory)
    summary = directory.read_json("summary.json")
    if as_json:
        typer.echo(json.dumps(summary))
    else:
        print_run(summary, directory.read_table("population.parquet"), Console())


@app.command()
def report(run_directory: Annotated[str, typer.Argument(metavar="RUN")], as_json: Json = False) -> None:
    """Draw the report page of a finished run again."""
    from evoray.results import write_page
    from evoray.store import RunDirectory

    path = write_page(RunDirectory(run_directory))
    typer.echo(json.dumps({"report": path}) if as_json else path)


@app.command()
def export(
    run_directory: Annotated[str, typer.Argument(metavar="RUN")],
    member: Annotated[str, typer.Argument(help="parent, best, soup, or a child such as g0000/c0012.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="A .safetensors file.")],
    parent: Annotated[Path | None, typer.Option(help="The parent's checkpoint, where the run keeps none.")] = None,
    overwrite: Force = False,
    as_json: Json = False,
) -> None:
    """Write one network of a run as a checkpoint; refuses when any digest differs."""
    from evoray.exporting import export_member
    from evoray.store import RunDirectory

    _check_output(output, overwrite)
    digest = export_member(RunDirectory(run_directory), member, output, parent)
    _written(output, digest, as_json)


@app.command()
def rebuild(
    lineage: Annotated[Path, typer.Argument(help="A lineage file.")],
    parent: Annotated[Path, typer.Argument(help="The parent's checkpoint.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="A .safetensors file.")],
    overwrite: Force = False,
    as_json: Json = False,
) -> None:
    """Rebuild a network from its lineage and its parent alone; refuses when any digest differs."""
    from evoray.exporting import rebuild_file

    _check_output(output, overwrite)
    _written(output, rebuild_file(lineage, parent, output), as_json)


@data.command("ingest")
def data_ingest(
    source: Annotated[str, typer.Argument(help="An ImageFolder tree, or package.module:function of a Dataset.")],
    dest: Annotated[Path, typer.Argument(help="A new directory for the shards.")],
    config: Annotated[Path | None, typer.Option("--for", help="Take the transform of this run's parent.")] = None,
    resize: Annotated[str, typer.Option(help="Shorter side in pixels, or none.")] = "256",
    crop: Annotated[int, typer.Option(min=1, help="Centre crop in pixels.")] = 224,
    interpolation: Annotated[str, typer.Option(help="bilinear or bicubic.")] = "bilinear",
    channels: Annotated[int, typer.Option(help="1 or 3.")] = 3,
    per_class: Annotated[int | None, typer.Option(min=1, help="Images of each class, chosen by the seed.")] = None,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    workers: Annotated[int | None, typer.Option(min=1, help="Processes; default one a core.")] = None,
    shard_size: Annotated[int, typer.Option(min=1, help="Images a shard.")] = 1024,
    as_json: Json = False,
) -> None:
    """Decode images once, into shards that every run maps into memory."""
    from evoray.ingesting import chosen_transform, ingest

    transform = chosen_transform(config, resize, crop, interpolation, channels)
    with Bars() as bars:
        summary = ingest(source, dest, transform, per_class, seed, workers, shard_size, bars)
    if as_json:
        typer.echo(json.dumps(summary))
        return
    typer.echo(f"{summary['rows']} images of {summary['classes']} classes in {summary['shards']} shards: {dest}")
    for bad in summary["unreadable"][:10]:
        typer.echo(f"  skipped {bad['source']}: {bad['error']}", err=True)
    if len(summary["unreadable"]) > 0:
        typer.echo(f"{len(summary['unreadable'])} unreadable files skipped (all in manifest.json)", err=True)


@data.command("verify")
def data_verify(dest: Path, as_json: Json = False) -> None:
    """Check every shard's digest against the manifest."""
    from evoray.data import verify

    found = verify(dest)
    if as_json:
        typer.echo(json.dumps({"rows": found.rows, "shards": found.shards, "damaged": found.damaged}))
    else:
        for message in found.damaged:
            typer.echo(message, err=True)
        whole = "all whole" if not found.damaged else f"{len(found.damaged)} damaged"
        typer.echo(f"{found.rows} images in {found.shards} shards, {whole}: {dest}")
    if found.damaged:
        sys.exit(UsageError.exit_code)


@data.command("show")
def data_show(dest: Path, as_json: Json = False) -> None:
    """Print what a shard directory holds."""
    from evoray.data import Manifest

    manifest = Manifest.read(dest)
    if as_json:
        typer.echo(manifest.model_dump_json())
        return
    table = Table(show_header=False, box=None)
    for key, value in (
        ("images", f"{manifest.rows:,} of {'x'.join(str(side) for side in manifest.image_shape)}"),
        (
            "classes",
            f"{len(manifest.classes)}: {', '.join(manifest.classes[:6])}{', …' * (len(manifest.classes) > 6)}",
        ),
        ("shards", f"{len(manifest.shards)}, {sum(shard.bytes for shard in manifest.shards) / 1e6:.1f} MB"),
        ("transform", manifest.transform.model_dump_json()),
        ("decoder", manifest.decoder),
        ("unreadable", str(len(manifest.unreadable))),
        ("digest", manifest.digest),
    ):
        table.add_row(key, escape(value))
    Console().print(table)


@bench.command("throughput")
def bench_throughput(
    model: Annotated[str, typer.Option(help="A torchvision architecture.")] = "resnet18",
    density: Annotated[list[float] | None, typer.Option(help="1 / K; repeatable.")] = None,
    images: Annotated[int, typer.Option(min=1)] = 512,
    dtype: Annotated[str, typer.Option(help="float32, bfloat16 or float16.")] = "float32",
    size: Annotated[int, typer.Option(min=1, help="Pixels a side.")] = 224,
    batch_size: Annotated[int, typer.Option(min=1)] = 256,
    repeats: Annotated[int, typer.Option(min=1)] = 3,
    as_json: Json = False,
) -> None:
    """Images a second of EvoRay, of a bare forward loop, and of a naive loop, in one process."""
    from evoray.benchmarks import throughput

    results = []
    for value in density or [0.01]:
        Console(stderr=True).print(f"[dim]{model}, {dtype}, density {value:g}[/dim]")
        results.append(throughput(model, value, images, dtype, size=size, batch_size=batch_size, repeats=repeats))
    if as_json:
        typer.echo(json.dumps({"results": results}))
        return
    table = Table("density", "forward", "EvoRay", "naive", "to forward", "to naive", "rebuild")
    for one in results:
        rate = one["images_per_s"]
        table.add_row(
            f"{one['density']:g}",
            *(f"{rate[name]:.1f}" for name in ("forward", "evoray", "naive")),
            *(f"{one[f'ratio_to_{name}']:.3f}" for name in ("forward", "naive")),
            f"{one['rebuild_ms']:.1f} ms",
        )
    Console().print(table)
    Console().print("images a second; ratios are medians of EvoRay's within each round", style="dim")


def main() -> None:
    """Entry point: EvoRay's own errors become one message and an exit code, never a stack trace."""
    try:
        app()
    except EvorayError as error:
        Console(stderr=True).print(f"[bold red]error[/] {escape(str(error))}", highlight=False, soft_wrap=True)
        sys.exit(error.exit_code)


def _free(path: Path) -> Path:
    """The path, or the first of path-2, path-3, … that does not exist."""
    if not path.exists():
        return path
    return next(p for n in range(2, 10**6) if not (p := path.with_name(f"{path.name}-{n}")).exists())


def _check_output(output: Path, overwrite: bool) -> None:
    if output.suffix != ".safetensors":
        raise UsageError(f"{output}: name a .safetensors file.")
    if output.exists() and not overwrite:
        raise UsageError(f"{output}: exists already. Name another file, or add --overwrite.")
    if not output.parent.is_dir():
        raise UsageError(f"{output}: no such directory {output.parent}.")


def _written(output: Path, digest: str, as_json: bool) -> None:
    typer.echo(
        json.dumps({"file": str(output), "weights_sha256": digest}) if as_json else f"{output}  weights sha256 {digest}"
    )


def _finish(result: Any, as_json: bool) -> None:
    from evoray.report import print_run

    if as_json:
        typer.echo(json.dumps(result.summary | {"directory": result.directory.location}))
        return
    print_run(result.summary, result.population, Console())
    Console().print(f"report: {result.directory.path('report.html')}", highlight=False, soft_wrap=True)


if __name__ == "__main__":
    main()
