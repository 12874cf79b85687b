"""``evoray bench``: measurements that a user can repeat."""

import contextlib
import json
import math
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from evoray.commands.common import Bars, Json
from evoray.commands.files import check_in_wheel
from evoray.commands.terminal.help import App
from evoray.errors import ConfigError
from evoray.runtime.auto import AUTO
from evoray.runtime.limits import BATCH
from evoray.runtime.reading import shown

bench = App(help="Measure on this machine.", no_args_is_help=True)


@bench.command("throughput")
def bench_throughput(
    model: Annotated[str, typer.Option(help="A torchvision architecture.")] = "resnet18",
    density: Annotated[list[float] | None, typer.Option(help="1 / K; repeatable.")] = None,
    images: Annotated[int, typer.Option(min=1, max=2**20)] = 512,
    dtype: Annotated[str, typer.Option(help="float32, bfloat16 or float16.")] = "float32",
    size: Annotated[int, typer.Option(min=1, max=4096, help="Pixels a side.")] = 224,
    batch_size: Annotated[str, typer.Option(help="Of EvoRay and forward; auto finds the fastest.")] = "256",
    naive_batch_size: Annotated[int, typer.Option(min=1, max=2**20, help="Of the naive loop and EvoTorch.")] = 256,
    repeats: Annotated[int, typer.Option(min=1, max=10_000)] = 3,
    threads: Annotated[int | None, typer.Option(min=1, max=4096, help="CPU threads; all unless given.")] = None,
    layout: Annotated[str, typer.Option(help="channels-last or contiguous.")] = "channels-last",
    compiled: Annotated[bool, typer.Option("--compile", help="torch.compile, forward and EvoRay alike.")] = False,
    cuda_graphs: Annotated[bool, typer.Option("--cuda-graphs")] = False,
    naive: Annotated[bool, typer.Option(help="Run the naive loop and EvoTorch beside it.")] = True,
    behind: Annotated[
        list[float] | None,
        typer.Option(help="Children behind the cut that leaves this share of the weights, 0 to 1; repeatable."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Images a second of EvoRay, of a bare forward loop, and of what one would use otherwise, in turn."""
    from rich.console import Console

    check_in_wheel("evoray.benchmarks", "evoray bench")
    from evoray.benchmarks.throughput import throughput

    densities = density or [0.01]
    Console(emoji=False, stderr=True).print(
        f"[dim]{model}, {dtype}, densities {', '.join(f'{one:g}' for one in densities)}[/dim]"
    )
    results = throughput(
        model,
        densities,
        images,
        dtype,
        size=size,
        batch_size=_batch_size(batch_size),
        naive_batch_size=naive_batch_size,
        repeats=repeats,
        threads=threads,
        layout=layout,  # type: ignore[arg-type]  # checked there
        compile=compiled,
        cuda_graphs=cuda_graphs,
        naive=naive,
        evotorch=naive,
        behind=behind or (),
    )
    if as_json:
        typer.echo(json.dumps({"results": results}))
        return
    _draw(results, naive)


def _batch_size(text: str) -> int | None:
    if text == AUTO:
        return None
    if not text.isdecimal() or len(text) > 7 or not 1 <= int(text) <= BATCH:
        raise ConfigError(f"--batch-size {shown(text)}: give a number of images, or auto; at most {BATCH:,}.")
    return int(text)


def _draw(results: list[dict[str, Any]], naive: bool) -> None:
    from rich.console import Console

    from evoray.report.tables import Fitted

    first, types = results[0], results[0]["dtypes"]
    heads = {"forward": "forward", "naive": "naive", "naive_dtype": f"naive {first['dtype']}", "evotorch": "evotorch"}
    if first["dtype"] == "float32":  # one naive loop
        del heads["naive_dtype"]
    others = [name for name in heads if first["images_per_s"][name] is not None]
    cuts = ("behind", "from", "kept") if any(one["cut"] for one in results) else ()
    names = [heads[name] for name in others]
    titles = ("density", *cuts, "EvoRay", *names, *(f"to {name}" for name in names), "rebuild")
    rows = []
    for one in results:
        rates = one["images_per_s"]
        ratios = (one[f"ratio_to_{name}"] for name in others)
        row = (
            f"{one['density']:g}",
            *((f"{one['behind']:.1%}", one["cut"] or "-", f"{one['kept_kib_per_image']:.0f} KiB") if cuts else ()),
            *(f"{rates[name]:.1f}" for name in ("evoray", *others)),
            *(f"{ratio:.3f}" for ratio in ratios),
            f"{one['rebuild_ms']:.1f} ms",
        )
        rows.append(row)
    console = Console(emoji=False)
    console.print(Fitted("", titles, rows, [True] * len(titles), [False] * len(titles)), crop=False)
    batches = f"{results[0]['batch_size']} images a pass" + (
        f", naive {results[0]['naive_batch_size']}" if naive else ""
    )
    console.print(f"images a second; ratios are medians of EvoRay's within each round; {batches}", style="dim")
    console.print(_types({"EvoRay": types["evoray"], **{heads[name]: types[name] for name in others}}), style="dim")
    if first["slow_dtype"] is not None:
        console.print(f"{first['dtype']} is slow here: {first['slow_dtype']}. Give --dtype float32", style="yellow")
    if naive and first["images_per_s"]["evotorch"] is None:
        console.print("EvoTorch is not installed, so it did not run: uv sync --group bench", style="yellow")


def _types(types: dict[str, str]) -> str:
    """Who ran in which type."""
    names = {dtype: [name for name, own in types.items() if own == dtype] for dtype in types.values()}
    return "; ".join(f"{dtype}: {', '.join(who)}" for dtype, who in names.items())


@bench.command("scaling")
def bench_scaling(
    workers: Annotated[list[int] | None, typer.Option(min=1, max=10_000, help="Repeatable.")] = None,
    units: Annotated[int, typer.Option(min=1, max=10**8, help="Units of work.")] = 2000,
    unit_seconds: Annotated[float, typer.Option(min=0, max=86_400, help="What one takes in a worker.")] = 0.5,
    children: Annotated[int, typer.Option(min=1, max=10**6, help="Children a unit.")] = 1,
    logits_bytes: Annotated[int, typer.Option(min=0, max=2**28, help="Returned with each unit, beside its sums.")] = 0,
    repeats: Annotated[int, typer.Option(min=1, max=10_000, help="Rounds on the same workers.")] = 1,
    plot: Annotated[Path | None, typer.Option(help="Draw to this .svg, .png or .pdf file.")] = None,
    as_json: Json = False,
) -> None:
    """Efficiency and cost of the driver, with workers that wait instead of computing."""
    check_in_wheel("evoray.benchmarks", "evoray bench")
    from evoray.benchmarks.scaling import Load, scaling

    if plot:
        from evoray.report.scaling import check_plot, draw_scaling

        check_plot(plot)
    if not math.isfinite(unit_seconds):
        raise ConfigError(f"--unit-seconds {unit_seconds}: give a number of seconds.")
    load = Load(units, unit_seconds, children, logits_bytes)
    results = []
    with Bars() as bars:
        for count in workers or [8, 16, 32]:
            bars.note(f"{count} workers, {units} units of {unit_seconds:g} s")
            # Ray warns of many processes on stdout, which is for the result
            with contextlib.redirect_stdout(sys.stderr):
                results.append(scaling(count, load, repeats, bars))
    if plot:
        draw_scaling(results, plot)
    if as_json:
        typer.echo(json.dumps({"results": results}))
        return
    from rich.console import Console

    from evoray.report.tables import Fitted

    titles, rows = ("workers", "units", "start-up", "time", "efficiency", "driver CPU", "memory"), []
    for one in results:
        row = (
            str(one["workers"]),
            f"{one['units']:,} x {one['unit_seconds']:g} s",
            f"{one['startup_s']:.0f} s",
            f"{one['wall_s']:.1f} s",
            f"{one['efficiency']:.3f}",
            f"{one['driver_cpu_ms_per_unit']:.2f} ms a unit",
            f"{one['driver_rss_mb']:.0f} MB (+{one['driver_rss_growth_mb']:.0f})",
        )
        rows.append(row)
    table = Fitted("", titles, rows, [True] * len(titles), [False] * len(titles))
    Console(emoji=False).print(table, crop=False)
    Console(emoji=False).print(
        "efficiency: units x seconds / workers over time, start-up apart; medians of rounds", style="dim"
    )
