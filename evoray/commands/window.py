"""``evoray window``: what children are worth, by sigma and density."""

import json
from pathlib import Path
from typing import Annotated

import typer

from evoray.commands.common import Bars, Json, say
from evoray.commands.files import check_files
from evoray.errors import UsageError
from evoray.runtime.reading import shown


def window(
    config: Annotated[Path, typer.Argument(help="The run whose parent, data and tensors are looked at, in TOML.")],
    out: Annotated[
        str | None, typer.Option(help="Directory or URI: new, begun before, or of that run; default runs/NAME-window.")
    ] = None,
    sigmas: Annotated[str | None, typer.Option(help="Numbers with commas; default 0.0125,0.025,…,1.6.")] = None,
    densities: Annotated[
        str | None, typer.Option(help="Of a mask (layered: in its block); default 1,0.32,0.1,0.032.")
    ] = None,
    children: Annotated[int, typer.Option(min=2, max=10**6, help="Of each sigma and density.")] = 12,
    images: Annotated[int | None, typer.Option(min=1, max=2**26, help="Of select; default all.")] = None,
    share: Annotated[float, typer.Option(help="Of the parent's accuracy that the widest sigma keeps.")] = 0.95,
    overrides: Annotated[
        list[str] | None, typer.Option("--set", metavar="A.B=V", help="Override a key; repeatable.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Sweep sigma and density: mean, spread and best of the children against the parent."""
    check_files(config, overrides or ())
    from evoray.config import load_config
    from evoray.search.window import DENSITIES, SIGMAS
    from evoray.search.window import window as sweep

    parsed = load_config(config, overrides or ())
    target = out or str(Path("runs") / f"{config.stem}-window")
    with Bars() as bars:
        drawn = sweep(
            parsed,
            target,
            sigmas=_numbers(sigmas, "--sigmas") or SIGMAS,
            densities=_numbers(densities, "--densities") or DENSITIES,
            children=children,
            images=images,
            share=share,
            config_dir=config.parent.resolve(),
            progress=bars,
        )
    if as_json:
        typer.echo(json.dumps(drawn | {"directory": target}))
        return
    from rich.console import Console

    from evoray.report.tables import table
    from evoray.report.window import window_grid

    Console(emoji=False).print(table(window_grid(drawn)), crop=False)
    say(f"picture: {target}/window.svg")


def _numbers(text: str | None, option: str) -> tuple[float, ...]:
    try:
        return tuple(float(part) for part in text.replace(",", " ").split()) if text else ()
    except ValueError:
        raise UsageError(f"{option} {shown(text)}: write numbers with commas, such as 0.05,0.1,0.2.") from None
