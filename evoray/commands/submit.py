"""``evoray submit``: a run as a job on a cluster, followed from here."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from evoray.commands.common import Json, Overrides
from evoray.commands.files import check_file
from evoray.errors import ConfigError
from evoray.runtime.reading import SCREEN, shown

if TYPE_CHECKING:
    from evoray.commands.ray_jobs import JobClient, JobState
    from evoray.config import ParentConfig

INTERRUPTED = 130


def submit(
    config: Annotated[Path, typer.Argument(help="The run, in TOML; its folder travels with it.")],
    address: Annotated[
        str, typer.Option(envvar="RAY_API_SERVER_ADDRESS", help="The cluster's dashboard.")
    ] = "http://127.0.0.1:8265",
    out: Annotated[
        str | None, typer.Option(help="Run directory: a URI, or an absolute path that every node sees.")
    ] = None,
    overrides: Overrides = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on where the run stopped.")] = False,
    environment: Annotated[
        list[str] | None, typer.Option("--env", metavar="NAME=VALUE", help="For driver and workers; repeatable.")
    ] = None,
    detach: Annotated[bool, typer.Option("--detach", help="Do not follow the log.")] = False,
    as_json: Json = False,
) -> None:
    """Run on a cluster, as a Ray job: follows its log, ends with its exit code. Ctrl-C stops following, not the job.

    The head node needs a python on its PATH in which this version of evoray is installed; docker/ builds such an image.
    """
    check_file(config, "a configuration in TOML")
    from rich.markup import escape

    from evoray.commands import ray_jobs
    from evoray.config import load_config

    parsed = load_config(config, overrides or ())
    folder = config.resolve().parent
    ray_jobs.check_paths(parsed, folder)
    target = ray_jobs.check_out(out or f"~/evoray-runs/{config.stem}")
    client = ray_jobs.JobClient(address, ray_jobs.cluster_token())
    env_vars = {
        "RAY_JOB_STOP_WAIT_TIME_S": str(ray_jobs.STOP_WAIT_S),
        "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",  # the image has everything; a worker must not build an environment
        "PYTHONUNBUFFERED": "1",
        **_pairs(environment or ()),
    }
    uri = client.upload(ray_jobs.package_folder(folder, [config.name, *_parent_files(parsed.parent, folder)]))
    if (note := ray_jobs.parent_note(parsed.parent, folder)) is not None:
        _say(escape(shown(note, SCREEN)))
    job = client.submit(ray_jobs.entrypoint(config.name, target, overrides or (), resume), uri, env_vars)
    where = f"run directory {target}{' (on the head node)' if out is None else ''}"
    _say(f"[dim]{escape(shown(f'job {job} on {client.address}, {where}', SCREEN))}[/dim]")
    if detach:
        typer.echo(json.dumps({"job": job, "out": target}) if as_json else job)
        return
    state = _followed(client, job, as_json)
    if as_json:
        typer.echo(json.dumps({"job": job, "out": target, "status": state.status, "exit_code": state.exit_code}))
    if state.exit_code:
        # a driver that ran has said why in its log
        detail = state.message.splitlines()[0] if state.message and state.driver_exit_code is None else ""
        _say(f"[bold red]job {escape(state.status.lower())}[/] {escape(detail)}".rstrip())
        if (remedy := ray_jobs.remedy_of(state)) is not None:
            _say(escape(remedy))
    sys.exit(state.exit_code)


def _say(text: str) -> None:
    from rich.console import Console

    Console(emoji=False, stderr=True, highlight=False, soft_wrap=True).print(text)


def _parent_files(parent: ParentConfig, folder: Path) -> list[str]:
    """What the parent needs of the run's folder, of whatever size."""
    from evoray.commands.ray_jobs import parent_files

    weights = parent.weights
    always = [weights] if weights and (folder / weights).is_file() and not Path(weights).is_absolute() else []
    return always + parent_files(parent, folder)


def _followed(client: JobClient, job: str, as_json: bool) -> JobState:
    from evoray.commands.following import follow

    stream = sys.stderr if as_json else sys.stdout

    def write(text: str) -> None:
        stream.write(text)
        stream.flush()

    try:
        return follow(client, job, write)
    except KeyboardInterrupt:
        _say(
            f"\nno longer following; job {job} goes on. Follow it: ray job logs -f {job} --address {client.address}"
            f"   Stop it: ray job stop {job} --address {client.address}"
        )
        sys.exit(INTERRUPTED)


def _pairs(environment: list[str] | tuple[str, ...]) -> dict[str, str]:
    pairs = {}
    for item in environment:
        name, equals, value = item.partition("=")
        if not name or not equals or "\0" in item:
            raise ConfigError(f"--env {shown(item)}: write it as NAME=VALUE.")
        pairs[name] = value
    return pairs
