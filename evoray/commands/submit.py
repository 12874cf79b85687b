"""``evoray submit``: a run as a job on a cluster, followed from here."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from evoray.commands.common import Json
from evoray.commands.files import check_file
from evoray.errors import ConfigError
from evoray.runtime.reading import SCREEN, shown

if TYPE_CHECKING:
    from evoray.commands.ray_jobs import JobClient, JobState

INTERRUPTED = 130


def submit(
    config: Annotated[Path, typer.Argument(help="The run, in TOML; its folder travels with it.")],
    address: Annotated[
        str, typer.Option(envvar="RAY_API_SERVER_ADDRESS", help="The cluster's dashboard.")
    ] = "http://127.0.0.1:8265",
    out: Annotated[
        str | None, typer.Option(help="Run directory: a URI, or an absolute path that every node sees.")
    ] = None,
    overrides: Annotated[
        list[str] | None, typer.Option("--set", metavar="A.B=V", help="Override a key; repeatable.")
    ] = None,
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
    from rich.console import Console
    from rich.markup import escape

    from evoray.commands.ray_jobs import (
        STOP_WAIT_S,
        JobClient,
        check_out,
        check_paths,
        cluster_token,
        entrypoint,
        package_folder,
        parent_files,
        parent_note,
        remedy_of,
    )
    from evoray.config import load_config

    parsed = load_config(config, overrides or ())
    folder = config.resolve().parent
    check_paths(parsed, folder)
    target = check_out(out or f"~/evoray-runs/{config.stem}")
    weights = parsed.parent.weights
    always = [weights] if weights and (folder / weights).is_file() and not Path(weights).is_absolute() else []
    always += parent_files(parsed.parent, folder)
    client = JobClient(address, cluster_token())
    env_vars = {
        "RAY_JOB_STOP_WAIT_TIME_S": str(STOP_WAIT_S),
        "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",  # the image has everything; a worker must not build an environment
        "PYTHONUNBUFFERED": "1",
        **_pairs(environment or ()),
    }
    uri = client.upload(package_folder(folder, [config.name, *always]))
    say = Console(emoji=False, stderr=True, highlight=False, soft_wrap=True).print
    if (note := parent_note(parsed.parent, folder)) is not None:
        say(escape(shown(note, SCREEN)))
    job = client.submit(entrypoint(config.name, target, overrides or (), resume), uri, env_vars)
    where = f"run directory {target}{' (on the head node)' if out is None else ''}"
    say(f"[dim]{escape(shown(f'job {job} on {client.address}, {where}', SCREEN))}[/dim]")
    if detach:
        typer.echo(json.dumps({"job": job, "out": target}) if as_json else job)
        return
    state = _followed(client, job, as_json)
    if as_json:
        typer.echo(json.dumps({"job": job, "out": target, "status": state.status, "exit_code": state.exit_code}))
    if state.exit_code:
        # a driver that ran has said why in its log
        detail = state.message.splitlines()[0] if state.message and state.driver_exit_code is None else ""
        say(f"[bold red]job {escape(state.status.lower())}[/] {escape(detail)}".rstrip())
        if (remedy := remedy_of(state)) is not None:
            say(escape(remedy))
    sys.exit(state.exit_code)


def _followed(client: JobClient, job: str, as_json: bool) -> JobState:
    from rich.console import Console

    from evoray.commands.following import follow

    stream = sys.stderr if as_json else sys.stdout

    def write(text: str) -> None:
        stream.write(text)
        stream.flush()

    try:
        return follow(client, job, write)
    except KeyboardInterrupt:
        Console(emoji=False, stderr=True, highlight=False, soft_wrap=True).print(
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
