"""``evoray serve``: a run's network behind HTTP, on this machine."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from evoray.commands.common import Json, say
from evoray.commands.files import check_file, check_run
from evoray.errors import UsageError
from evoray.runtime.paths import expanded
from evoray.runtime.reading import shown

if TYPE_CHECKING:
    from evoray.serve import Server
    from evoray.serving.plan import Plan

LOOPBACK = ("127.0.0.1", "localhost", "::1")
TOKEN = "EVORAY_SERVE_TOKEN"


def serve(
    run_directory: Annotated[str, typer.Argument(metavar="RUN")],
    member: Annotated[str, typer.Option(help="ensemble, soup, best, parent, or a child such as g0000/c0012.")] = "soup",
    host: Annotated[str, typer.Option(help="The address that is listened on.")] = LOOPBACK[0],
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes one that is free.")] = 8000,
    replicas: Annotated[int, typer.Option(min=1, max=1024, help="Processes that answer.")] = 1,
    token: Annotated[
        str | None, typer.Option(envvar=TOKEN, help="What askers have to send; made when not set.")
    ] = None,
    no_token: Annotated[bool, typer.Option("--no-token", help="Let everybody on this machine ask.")] = False,
    batch: Annotated[int, typer.Option(min=1, max=4096, help="Records that share a batch, at most.")] = 32,
    wait_ms: Annotated[float, typer.Option(min=0, max=1000, help="How long a record waits for others.")] = 4,
    body_mb: Annotated[float, typer.Option(min=0.001, max=1024, help="Of a request's body, at most.")] = 16,
    megapixels: Annotated[float, typer.Option(min=0.001, max=100, help="Of a picture as it is sent, at most.")] = 50,
    characters: Annotated[int, typer.Option(min=1, max=10**7, help="Of a text, at most.")] = 200_000,
    seconds: Annotated[float, typer.Option(min=0.1, max=600, help="For a body to arrive, and for its answer.")] = 30,
    copies_mb: Annotated[
        float, typer.Option(min=0, max=10**6, help="Up to which an ensemble is kept as copies; beyond it as recipes.")
    ] = 256,
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
    data: Annotated[str | None, typer.Option(help="The run's data, where it lies elsewhere now.")] = None,
    parent: Annotated[Path | None, typer.Option(help="The parent's checkpoint, where the run keeps none.")] = None,
    as_json: Json = False,
) -> None:
    """Answer over HTTP for pictures, texts or numbers as the run's, with its class names; ends with Ctrl-C."""
    check_run(run_directory)
    if parent:
        check_file(parent, "the parent's checkpoint or folder")
    secret = _token(token, no_token, host)
    gpus = _gpus(device)
    from evoray.serve import Server, free_port, serving, until_stopped
    from evoray.serving.plan import Limits, Plan
    from evoray.serving.service import Service, digest_of
    from evoray.storage.directory import RunDirectory

    body, pixels = round(body_mb * 2**20), round(megapixels * 10**6)
    limits = Limits(body=body, pixels=pixels, characters=characters, seconds=seconds)
    server = Server(
        host, free_port(host, port), replicas, batch, wait_ms / 1000, 2 * seconds + 5, min(1.0, gpus / replicas)
    )
    plan = Plan(
        location=RunDirectory(run_directory).everywhere,
        member=member,
        config_dir=os.getcwd(),
        device=device,
        parent=expanded(str(parent)) if parent else None,
        data=data,
        copies=round(copies_mb * 2**20),
        threads=max(1, len(os.sched_getaffinity(0)) // replicas),
    )
    facts = _facts(plan)
    with serving(Service(plan, limits, digest_of(secret)), server):
        until_stopped(lambda: _announce(server, secret, facts, as_json))
        say("stopping …") if not as_json else None


def _token(token: str | None, no_token: bool, host: str) -> str | None:
    if no_token:
        if token:
            raise UsageError(f"--no-token and a token (--token, {TOKEN}) do not go together. Leave one out.")
        if host not in LOOPBACK:
            raise UsageError(f"--no-token is for {LOOPBACK[0]} alone, and --host is {shown(host, 80)}. Leave it out.")
        return None
    if token is None:
        import secrets

        return secrets.token_urlsafe(24)
    if len(token) < 8 or not token.isascii() or not token.isprintable() or " " in token:
        raise UsageError("--token: give 8 or more printable ASCII characters without a blank, or leave it out.")
    return token


def _gpus(device: str) -> int:
    """How many there are to be served on; none of the CPU."""
    if device not in ("cpu", "cuda"):
        raise UsageError(f"--device {shown(device, 40)}: give cpu or cuda.")
    if device == "cpu":
        return 0
    import torch

    if not torch.cuda.is_available():
        raise UsageError("--device cuda: PyTorch finds no GPU here. Take cpu.")
    return torch.cuda.device_count()


def _facts(plan: Plan) -> dict[str, Any]:
    """Builds the network once before Ray starts, so that what is wrong is said at once."""
    from evoray.serve import require
    from evoray.serving.predictor import Predictor

    require()
    return Predictor(plan).facts


def _announce(server: Server, token: str | None, facts: dict[str, Any], as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps({"url": server.url, "token": token, "replicas": server.replicas, **facts}))
        return
    say(f"serving {facts['member']} ({facts['kept_as']}) on {server.url}")
    say(f"{facts['how']} Asked for with {facts['example']}")
    if token is None:
        say("no token: whoever is on this machine may ask")
        return
    say(f"token: {token}")
    say(f"page: {server.url}#token={token}")
