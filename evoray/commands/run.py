"""``evoray demo`` and ``evoray run``: one search, from a configuration to a table and a page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from evoray.commands.common import Bars, Json, finish


def demo(
    out: Annotated[Path | None, typer.Option(help="Run directory; default runs/demo-seedN.")] = None,
    seed: Annotated[int, typer.Option(min=0, max=2**63 - 1, help="Of the parent's training and of the search.")] = 0,
    backend: Annotated[str, typer.Option(help="ray or local.")] = "ray",
    as_json: Json = False,
) -> None:
    """Evolve a small network on 5,000 packaged real images; ends with a table and a report page."""
    from evoray.demo import demo_config, train_parent
    from evoray.evolution import check_new, evolve
    from evoray.storage.directory import RunDirectory, free_path

    target = out or free_path(Path("runs") / f"demo-seed{seed}")
    weights = target.with_name(f"{target.name}-parent.safetensors")
    config = demo_config(seed, weights, backend)
    check_new(RunDirectory(str(target)))
    weights.parent.mkdir(parents=True, exist_ok=True)
    with Bars() as bars:
        bars.note("training the parent on 800 images")
        train_parent(seed, weights)
        result = evolve(config, target, progress=bars)
    finish(result, as_json)


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
    from evoray.runtime.paths import expanded

    config = Path(expanded(str(config)))
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
