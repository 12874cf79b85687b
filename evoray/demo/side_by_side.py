"""Three answers side by side: of the parent and what came of it, on test problems."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa
from rich.console import Console

from evoray.report.grids import Grid
from evoray.report.tables import table
from evoray.storage.directory import RunDirectory

FILE = "answers.parquet"
SHOWN = {"parent": "Parent", "best_child": "Best child", "soup": "Soup", "ensemble": "Vote"}
"""Networks in this order, as far as the run has them."""
KINDS = ("gained", "lost", "both right", "both wrong")
"""Of what is compared with the parent: the last network that there is."""
ROWS = 3
LONGEST = 60
NOTE = "In order: the first problem that the last network gained, the first it lost, the first that both have right."


@dataclass(frozen=True)
class Answered:
    """One problem. texts, rewards: by network."""

    prompt: str
    texts: Mapping[str, str]
    rewards: Mapping[str, float]

    def kind(self, network: str) -> str:
        before, after = self.rewards["parent"], self.rewards[network]
        if before != after:
            return "gained" if after > before else "lost"
        return "both right" if after > 0 else "both wrong"


def chosen(answered: Sequence[Answered], network: str, count: int = ROWS) -> list[Answered]:
    """The first of each of KINDS, then the next ones in order; by a rule, so that nobody picks the nice ones."""
    firsts = {kind: next((one for one in answered if one.kind(network) == kind), None) for kind in KINDS}
    found = [one for one in firsts.values() if one is not None]
    return [*found, *(one for one in answered if one not in found)][:count]


def answered_of(rows: pa.Table) -> list[Answered]:
    """Every problem of FILE."""
    names = [name for name in SHOWN if f"{name}_answer" in rows.column_names]
    return [
        Answered(
            one["prompt"],
            {name: one[f"{name}_answer"] for name in names},
            {name: -math.inf if (reward := one[f"{name}_reward"]) is None else reward for name in names},
        )
        for one in rows.to_pylist()
    ]


def grid(answered: Sequence[Answered]) -> Grid:
    """A row a problem, a column a network; a tick where the reward is above 0."""
    names = list(answered[0].texts)
    rows = [(_last_line(one.prompt), *(_marked(one, name) for name in names)) for one in chosen(answered, names[-1])]
    return Grid("Side by side", ("Problem", *(SHOWN[name] for name in names)), tuple(rows), NOTE, len(names) + 1)


def print_answers(directory: RunDirectory, console: Console | None = None) -> None:
    """The table, on stdout."""
    if answered := answered_of(directory.read_table(FILE)):
        out = console or Console(emoji=False)
        out.print()
        out.print(table(grid(answered)), crop=False)


def _marked(one: Answered, name: str) -> str:
    return f"{'✓' if one.rewards[name] > 0 else '✗'} {_short(one.texts[name])}"


def _last_line(prompt: str) -> str:
    """The problem: before it stand examples, and what is to be done with it."""
    line = (prompt.strip().splitlines() or [""])[-1]
    return _short(line.partition(":")[2].strip() or line)


def _short(text: str) -> str:
    words = " ".join(text.split())
    return words if len(words) <= LONGEST else f"{words[: LONGEST - 1]}…"
