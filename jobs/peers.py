"""EvoRay beside its peers, at equal evaluations and seconds: ``uv run jobs/peers.py --out DIR``.

One command for all of it; finished arms are skipped, so after a stop the same command is given again.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from evoray.commands.common import Bars, guarded


def main(
    out: Annotated[Path, typer.Option(help="Folder of parents, images, arms and tables.")],
    architectures: Annotated[str, typer.Option(help="Of cnn, resnet and vit, with commas.")] = "cnn,resnet,vit",
    seeds: Annotated[str, typer.Option(help="With commas; settings are chosen at the first.")] = "0,1,2",
    evaluations: Annotated[int, typer.Option(min=60, help="Of a network on all images that choose.")] = 400,
    select: Annotated[int, typer.Option(min=20, help="Images that choose.")] = 1000,
    test: Annotated[int, typer.Option(min=20, help="Images that choose nothing.")] = 2000,
    only: Annotated[str, typer.Option(help="Run only these arms: a pattern over ARCHITECTURE-SEED/ARM.")] = "*",
    tables: Annotated[bool, typer.Option("--tables", help="Run nothing; tables of what is finished.")] = False,
) -> None:
    """EvoTorch, a loop of one's own, RandOpt, es-at-scale, gradient descent and calibration beside EvoRay."""
    from evoray.errors import ConfigError
    from evoray.study import seeds_of
    from evoray.study.peers.problem import Sizes
    from evoray.study.peers.runner import Plan, run_peers
    from evoray.study.peers.table import write_tables
    from evoray.study.small_parents import check_architectures, make_folder

    plan = Plan(out, tuple(architectures.split(",")), seeds_of(seeds), Sizes(select, test, evaluations), only)
    check_architectures(plan.architectures)
    if tables and not (out / "arms").is_dir():
        raise ConfigError(f"--tables: nothing is finished in {out}. Leave it out to run what is missing.")
    make_folder(out)
    with Bars("the same command goes on") as bars:
        for name in () if tables else run_peers(plan, bars):
            bars.note(f"{name}: done")
    path = write_tables(plan)
    typer.echo(path.read_text(encoding="utf-8"))
    typer.echo(f"all tables: {path}")


if __name__ == "__main__":
    guarded(lambda: typer.run(main))
