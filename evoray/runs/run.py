"""``evoray.load_run``: a run's directory as an object, finished or not."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from evoray.errors import UsageError
from evoray.report.brief import as_html, brief, html_table
from evoray.runtime.reading import JSON_BYTES, parse_json, shown, translated
from evoray.storage.directory import RunDirectory
from evoray.storage.documents import REMEDY
from evoray.storage.state import RunState, state_of
from evoray.storage.tables import read_parquet

if TYPE_CHECKING:
    import matplotlib.figure

    from evoray.mutation import Lineage

TABLES = ("population", "predictions", "answers")
OWN = ("parent", "best", "soup")
"""Lineages that every finished run has, besides its members'."""


class Run:
    """What stands in a run's directory; each file is read when it is first asked for.

    Raises:
        UsageError: from any of its members, where a file is not there (the run has not finished) or is damaged.
    """

    def __init__(self, directory: RunDirectory) -> None:
        self.directory = directory

    @cached_property
    def _state(self) -> RunState:
        found = state_of(self.directory)
        if found is None:
            raise UsageError(f"{shown(self.directory.location)}: no run in it. Name a run directory.")
        return found

    @property
    def state(self) -> str:
        """``finished``, ``running`` or ``stopped``, as it was when it was first asked for."""
        return self._state.name

    @property
    def rounds(self) -> tuple[dict[str, Any], ...]:
        """The lines of ``metrics.jsonl``; an unfinished run has those of the rounds that it has done."""
        from evoray.storage.state import rounds_of

        return rounds_of(self.directory)

    @cached_property
    def summary(self) -> dict[str, Any]:
        found: dict[str, Any] = self.directory.read_json("summary.json")
        return found

    @cached_property
    def config(self) -> dict[str, Any]:
        """The resolved configuration."""
        found: dict[str, Any] = self.directory.read_json("config.json")
        return found

    @property
    def verdict(self) -> str:
        return str(self.summary.get("verdict", ""))

    @cached_property
    def population(self) -> pa.Table:
        """A row a child."""
        return self.directory.read_table("population.parquet")

    @cached_property
    def predictions(self) -> pa.Table:
        """A row a test record: what the ensemble answers."""
        return self._table("predictions")

    @cached_property
    def answers(self) -> pa.Table:
        """Of a run whose networks answer in words: a row a test prompt, what each of them said."""
        return self._table("answers")

    def _table(self, name: str) -> pa.Table:
        name = f"{name}.parquet"
        content = self.directory.read(name)
        return read_parquet(content, f"{self.directory.location}/{name}", REMEDY, UsageError)

    def frame(self, name: str = "population") -> Any:
        """``population``, ``predictions`` or ``answers`` as a pandas DataFrame."""
        if name not in TABLES:
            raise UsageError(f"{shown(name)}: no table of a run. Name {', '.join(TABLES)}.")
        table: pa.Table = getattr(self, name)
        try:
            return table.to_pandas()
        except ModuleNotFoundError as error:
            raise UsageError(
                f"a data frame needs {error.name}, which is not installed: pip install {error.name}. "
                f"Without it, .{name} is an Arrow table."
            ) from None

    def figures(self) -> dict[str, matplotlib.figure.Figure]:
        """The figures of the report as matplotlib's, by name: ``differences``, ``population``, …"""
        from evoray.report.page import drawn

        window = self.directory.read_json("window.json") if self.directory.exists("window.json") else None
        with translated(self.directory.location, f"Its figures cannot be drawn. {REMEDY}", UsageError):
            return drawn(self.summary, self.population, window)

    def lineage(self, member: str = "best") -> Lineage:
        """The recipe of ``parent``, ``best``, ``soup`` or a member of the ensemble.

        Raises:
            UsageError: no such member, with those that there are.
            LineageError: its file is damaged.
        """
        from evoray.errors import LineageError
        from evoray.mutation import Lineage

        members = [str(one.get("id")) for one in (self.summary.get("ensemble") or {}).get("members") or []]
        if member not in (known := tuple(dict.fromkeys((*OWN, *members)))):
            from evoray.config.allowed import did_you_mean

            near = did_you_mean(member, known)
            named = ", ".join(shown(one, 40) for one in known[:20])
            raise UsageError(f"{shown(member)}: no member that has a lineage.{near} Name one of {named}.")
        name = f"lineage/{member}.json"
        origin = f"{self.directory.location}/{name}"
        document = parse_json(self.directory.read(name, JSON_BYTES), origin, LineageError)
        if not isinstance(document, Mapping) or "entries" not in document:
            raise LineageError(f"{shown(origin)}: damaged, no entries in it. {REMEDY}")
        return Lineage.from_json(document["entries"])

    def __repr__(self) -> str:
        """A few lines; what is wrong with the run is one of them, and not an exception."""
        try:
            if self.state == "finished":
                return brief(self.directory.location, self.summary).replace("RunResult", "Run", 1)
            return "\n  ".join([f"Run in {shown(self.directory.location)}", *self._unfinished()])
        except UsageError as error:
            return f"Run in {shown(self.directory.location)}\n  {shown(error)}"

    def _repr_html_(self) -> str:
        try:
            if self.state == "finished":
                return as_html(self.directory.location, self.summary)
            said = [[one] for one in self._unfinished()]
        except UsageError as error:
            said = [[str(error)]]
        return html_table([self.directory.location], said)

    def _unfinished(self) -> list[str]:
        done = [one for one in self._state.rounds if one.get("kind") == "child"]
        of = f" of {self._state.generations}" if self._state.generations else ""
        return [f"{self.state}, not finished: {len(done)}{of} generations done", *filter(None, [self._state.standing])]


def load_run(path: str) -> Run:
    """A run from its directory: a path, or any URI that pyarrow opens.

    Raises:
        UsageError: there is no run.
    """
    run = Run(RunDirectory(str(path)))
    run.state  # noqa: B018  # whether there is one
    return run
