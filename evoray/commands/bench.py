"""``evoray bench``: measurements that a user can repeat."""

from __future__ import annotations

import json
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from evoray.commands.common import Json

bench = typer.Typer(help="Measure on this machine.", no_args_is_help=True)


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
