"""A Ray job's driver: ``evoray run`` with what a cluster needs. Started by jobs/evolve.py and ``evoray submit``."""

import os
from pathlib import Path
from typing import Annotated

import typer

from evoray.commands.common import Bars, Overrides, finish, guarded
from evoray.commands.files import check_files
from evoray.commands.ray_jobs import check_out
from evoray.commands.terminal.help import App
from evoray.errors import UsageError
from evoray.runtime.auto import AUTO

app = App(add_completion=False)


@app.command()
def evolve_job(
    config: Annotated[Path, typer.Argument(help="The run, in TOML, in the job's working directory.")],
    out: Annotated[str, typer.Option(help="Run directory: a URI, or an absolute path that every node sees.")],
    overrides: Overrides = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on where the run stopped.")] = False,
    restartable: Annotated[
        bool,
        typer.Option("--restartable", help="Go on where a run has begun, else begin: for jobs that are restarted."),
    ] = False,
) -> None:
    """One run on this job's cluster. Exit code 0 good, 1 failed or stopped, 2 bad usage or configuration."""
    if resume and restartable:
        raise UsageError("--resume and --restartable: give one of them.")
    check_files(config, overrides or ())
    from evoray.config import load_config
    from evoray.evolution import evolve

    target = os.path.expanduser(check_out(out))
    parsed = load_config(config, overrides or ())
    with Bars() as bars:
        result = evolve(
            parsed, target, config_dir=config.parent.resolve(), resume=AUTO if restartable else resume, progress=bars
        )
    finish(result, as_json=False)


def main() -> None:
    """Entry point of jobs/evolve.py."""
    guarded(app)


if __name__ == "__main__":
    main()
