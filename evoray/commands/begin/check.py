"""``evoray check``: what a run would do, and every problem at once, before anything runs."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from evoray.commands.common import Json, complain, say

if TYPE_CHECKING:
    from evoray.begin.check.plan import Plan


def check(
    config: Annotated[Path, typer.Argument(help="The run, in TOML.")],
    overrides: Annotated[
        list[str] | None, typer.Option("--set", metavar="A.B=V", help="Override a key; repeatable.")
    ] = None,
    price: Annotated[
        float | None,
        typer.Option("--price-per-hour", min=0, max=1e6, help="Of one machine; the run's price is then said."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Say what a run would do, what it takes, and all that keeps it from being one. Nothing is run or written."""
    from evoray.begin.check.problems import Problems, look_at
    from evoray.errors import UsageError

    plan: Plan | None = None
    inputs, lines = look_at(config, overrides or ())
    if inputs is not None:
        from evoray.begin.check.plan import plan_of
        from evoray.begin.cluster import look

        found = Problems(lines)
        plan = found.tried(lambda: plan_of(inputs, look() if inputs.config.compute.backend == "ray" else None, price))
    if as_json:
        typer.echo(json.dumps({"problems": lines, **(plan.to_dict() if plan and not lines else {})}))
    elif lines:
        _complain(lines, str(config))
    elif plan is not None:
        _print(plan, config, price)
    sys.exit(UsageError.exit_code if lines else 0)


def _complain(lines: list[str], config: str) -> None:
    for line in lines:
        complain(line)
    many = f"{len(lines)} problems" if len(lines) > 1 else "one problem"
    complain(f"{config}: {many}; a run would not begin.")


def _print(plan: Plan, config: Path, price: float | None) -> None:
    from rich.console import Console

    from evoray.begin.check.plan import default_out
    from evoray.begin.check.words import rows_of
    from evoray.begin.said import beside

    width = Console(emoji=False).width
    classes = plan.inputs.classes
    told = (*plan.inputs.notes, *plan.inputs.said.trial)
    notes = [("note", note) for note in told if classes is None or note != classes.said]
    for line in beside([*rows_of(plan, price), *notes], width):
        say(line)
    say("")
    say(f"No problem found. {_next(config, default_out(config))}")


def _next(config: Path, out: str) -> str:
    """What to do now; where ``evoray run`` would write, there may be something."""
    from evoray.errors import UsageError
    from evoray.storage.directory import RunDirectory, free_path
    from evoray.storage.state import check_place, state_of

    other = f"evoray run {config} --out {free_path(Path(out))}"
    try:
        state = state_of(RunDirectory(out))
        if state is None:
            check_place(RunDirectory(out))
            return f"Next: evoray run {config} --out {out}"
    except UsageError as error:
        return f"{str(error).partition(' Name')[0]} Next: {other}"
    does = {"finished": "shows", "stopped": "goes on with", "running": "watches"}[state.name]
    way = {"finished": f"show {out}", "stopped": f"run {config} --out {out} --resume", "running": f"watch {out}"}
    return f"A run lies at {out}, {state.name}: evoray {way[state.name]} {does} it. Another one: {other}"
