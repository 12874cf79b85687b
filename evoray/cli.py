"""The command line: parses, draws progress, prints; everything it does is a function of the library."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from evoray.commands.bench import bench
from evoray.commands.common import Bars, Json, finish, guarded
from evoray.commands.data import data
from evoray.commands.submit import submit
from evoray.commands.window import window
from evoray.errors import UsageError

app = typer.Typer(
    help="Fine-tune networks without gradients, by sparse mutations judged on your images, on any Ray cluster.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)

Force = Annotated[bool, typer.Option("--overwrite", help="Replace the output file if it exists.")]


@app.command()
def demo(
    out: Annotated[Path | None, typer.Option(help="Run directory; default runs/demo-seedN.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the parent's training and of the search.")] = 0,
    backend: Annotated[str, typer.Option(help="ray or local.")] = "ray",
    as_json: Json = False,
) -> None:
    """Evolve a small network on 5,000 packaged real images; ends with a table and a report page."""
    from evoray.demo import demo_config, train_parent
    from evoray.evolution import evolve
    from evoray.storage.directory import free_path

    target = out or free_path(Path("runs") / f"demo-seed{seed}")
    weights = target.with_name(f"{target.name}-parent.safetensors")
    config = demo_config(seed, weights, backend)
    weights.parent.mkdir(parents=True, exist_ok=True)
    with Bars() as bars:
        bars.note("training the parent on 800 images")
        train_parent(seed, weights)
        result = evolve(config, target, progress=bars)
    finish(result, as_json)


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
    from evoray.evolution import evolve

    parsed = load_config(config, overrides or ())
    with Bars() as bars:
        result = evolve(
            parsed,
            out or str(Path("runs") / config.stem),
            config_dir=config.parent.resolve(),
            resume=resume,
            progress=bars,
        )
    finish(result, as_json)


@app.command()
def show(run_directory: Annotated[str, typer.Argument(metavar="RUN")], as_json: Json = False) -> None:
    """Print a finished run's tables."""
    from evoray.report import print_run
    from evoray.storage.directory import RunDirectory

    directory = RunDirectory(run_directory)
    summary = directory.read_json("summary.json")
    if as_json:
        typer.echo(json.dumps(summary))
    else:
        print_run(summary, directory.read_table("population.parquet"), Console())


@app.command()
def report(run_directory: Annotated[str, typer.Argument(metavar="RUN")], as_json: Json = False) -> None:
    """Draw the report page of a finished run again."""
    from evoray.results.write import write_page
    from evoray.storage.directory import RunDirectory

    path = write_page(RunDirectory(run_directory))
    typer.echo(json.dumps({"report": path}) if as_json else path)


@app.command()
def export(
    run_directory: Annotated[str, typer.Argument(metavar="RUN")],
    member: Annotated[
        str, typer.Argument(help="parent, best, soup, soup_recalibrated, or a child such as g0000/c0012.")
    ],
    output: Annotated[Path, typer.Option("-o", "--output", help="A .safetensors file.")],
    parent: Annotated[Path | None, typer.Option(help="The parent's checkpoint, where the run keeps none.")] = None,
    overwrite: Force = False,
    as_json: Json = False,
) -> None:
    """Write one network of a run as a checkpoint; refuses when any digest differs."""
    from evoray.results.export import export_member
    from evoray.storage.directory import RunDirectory

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
    from evoray.results.export import rebuild_file

    _check_output(output, overwrite)
    _written(output, rebuild_file(lineage, parent, output), as_json)


app.command("window")(window)
app.command("submit")(submit)
app.add_typer(data, name="data")
app.add_typer(bench, name="bench")


def main() -> None:
    """Entry point."""
    guarded(app)


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


if __name__ == "__main__":
    main()
