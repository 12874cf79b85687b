"""Trains the small parents of the studies: ``uv run jobs/train_parents.py --out parents``; minutes on one core.

Each architecture and seed gives a normal and an early-stopped checkpoint, with a record of how it was made.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from evoray.commands.common import Bars, guarded


def main(
    out: Annotated[Path, typer.Option(help="Folder for the checkpoints.")],
    architectures: Annotated[str, typer.Option(help="Of cnn, resnet and vit, with commas.")] = "cnn,resnet,vit",
    seeds: Annotated[str, typer.Option(help="With commas.")] = "0,1,2,3,4",
    data: Annotated[str, typer.Option(help="Images to train on: 1x28x28, ten classes.")] = "fashion-mnist-train",
    epochs: Annotated[int, typer.Option(min=1)] = 8,
    early: Annotated[int, typer.Option(min=1, help="Steps of the early-stopped parent.")] = 200,
    kinds: Annotated[str, typer.Option(help="early: stop there, a sixteenth of the time.")] = "normal,early",
) -> None:
    """Train small parents; those that are there already are kept."""
    from evoray.study import seeds_of
    from evoray.study.small_parents import Recipe, train_parents

    recipe = Recipe(data, epochs, early)
    with Bars() as bars:
        wanted = tuple(architectures.split(",")), seeds_of(seeds)
        paths = train_parents(out, *wanted, recipe, bars, tuple(kinds.split(",")))
    for path in paths:
        typer.echo(path)


if __name__ == "__main__":
    guarded(lambda: typer.run(main))
