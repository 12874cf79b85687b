"""``evoray show`` and ``evoray report``: a run, on the terminal and as a page."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING, Annotated

import typer

from evoray.commands.common import Json, say
from evoray.runtime.reading import shown

if TYPE_CHECKING:
    from evoray.storage.directory import RunDirectory
    from evoray.storage.state import RunState


def show(run_directory: Annotated[str, typer.Argument(metavar="RUN")], as_json: Json = False) -> None:
    """Print a finished run's tables; of one that runs or has stopped, how far it is and how to go on."""
    from evoray.storage.directory import RunDirectory
    from evoray.storage.state import state_of

    directory = RunDirectory(run_directory)
    state = state_of(directory)
    if state is not None and state.name != "finished":
        _unfinished(directory, state, as_json)
        return
    summary = directory.read_json("summary.json")
    if as_json:
        typer.echo(json.dumps(summary))
    else:
        from rich.console import Console

        from evoray.errors import UsageError
        from evoray.report.tables import print_run
        from evoray.runtime.reading import translated
        from evoray.storage.documents import REMEDY

        with translated(directory.path("summary.json"), REMEDY, UsageError):
            print_run(summary, directory.read_table("population.parquet"), Console(emoji=False))


def _unfinished(directory: RunDirectory, state: RunState, as_json: bool) -> None:
    """State, rounds, who is best so far, and the command to go on."""
    last = state.rounds[-1] if state.rounds else {}
    again = f"evoray run CONFIG.toml --out {shlex.quote(shown(directory.location))} --resume"
    if as_json:
        found = {"state": state.name, "directory": directory.location, "generations": state.generations}
        typer.echo(json.dumps({**found, "holder": state.holder, "rounds": state.rounds, "go_on": again}))
        return
    who = " ".join(f"{key} {shown(state.holder[key], 80)}" for key in ("host", "pid") if key in state.holder)
    say(f"{directory.location}: {state.name}{f' ({who})' if who else ''}, not finished")
    of = f" of {state.generations}" if state.generations else ""
    generation = last.get("generation")
    done = f"generation {generation + 1}{of}" if type(generation) is int and last.get("kind") != "parent" else "none"
    say(f"last round done: {done}")
    if state.standing:
        say(state.standing)
    if state.name == "stopped":
        say(f"go on with: {again}")


def report(run_directory: Annotated[str, typer.Argument(metavar="RUN")], as_json: Json = False) -> None:
    """Draw the report page of a finished run again."""
    from evoray.storage.directory import RunDirectory

    RunDirectory(run_directory).read("summary.json")  # before anything that draws is imported
    from evoray.results.write import write_page

    path = write_page(RunDirectory(run_directory))
    if as_json:
        typer.echo(json.dumps({"report": path}))
    else:
        say(path)
