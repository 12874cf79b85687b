"""A run as its directory shows it, whatever it is doing; read only, so any machine that sees the directory may look."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import pyarrow as pa

from evoray.errors import UsageError
from evoray.report.finished_run import Run
from evoray.report.measures import BEFORE, ShownMeasure, own
from evoray.runtime.reading import shown
from evoray.storage.directory import RunDirectory
from evoray.storage.documents import BEGINNING, Live
from evoray.storage.lock import holder_at
from evoray.storage.state import rounds_of, state_of
from evoray.watching.live import TOP
from evoray.watching.words import TITLES, UNITS, about, rounded

STATE = "state.json"
SOME = 8
"""Blocks that a line has room for."""
CONFIG, IDENTITY = BEGINNING


@dataclass(frozen=True)
class View:
    """What is known of a run.

    state: starting, running, stopped, failed or finished. holder: the program at work there (host, pid, since).
    live: what ``state.json`` holds, empty where there is none. rounds: lines of ``metrics.jsonl``. asked: the
    configuration before anything was found for it. summary, children: of a finished run.
    """

    location: str
    state: str
    holder: Mapping[str, Any] = field(default_factory=dict)
    config: Mapping[str, Any] = field(default_factory=dict)
    live: Mapping[str, Any] = field(default_factory=dict)
    rounds: Sequence[Mapping[str, Any]] = ()
    asked: Mapping[str, Any] = field(default_factory=dict)
    summary: Mapping[str, Any] | None = None
    children: pa.Table | None = None
    seen_at: float = field(default_factory=time.time)

    @property
    def is_over(self) -> bool:
        return self.state in ("stopped", "failed", "finished")

    @property
    def run_id(self) -> str:
        return str((self.summary or self.live).get("run_id") or "")

    @cached_property
    def measure(self) -> ShownMeasure:
        """The run's fitness."""
        name = str(section(self.config, "fitness").get("name") or "nll")
        if self.summary is not None and self.children is not None:
            return Run.of(self.summary, self.children).main
        if (one := self.live.get("measure")) is not None:
            return ShownMeasure(
                one["name"], one["label"], one["short"], one["unit"], one["higher_is_better"], one["said"]
            )
        return BEFORE.get(name) or own(name)

    @property
    def error(self) -> str:
        """Why a run failed."""
        return str(self.live.get("error") or "") if self.state == "failed" else ""

    @property
    def verdict(self) -> str:
        return str(self.summary.get("verdict", "")) if self.summary else ""

    @property
    def asked_children(self) -> int | None:
        """All of the run, as it was asked for; a strategy may end before."""
        numbers = [section(self.config, "search").get(key) for key in ("children", "generations")]
        return numbers[0] * numbers[1] if all(type(one) is int for one in numbers) else None  # type: ignore[operator]

    @property
    def generations(self) -> tuple[int, int | None]:
        """How many are done, at least in part, and how many were asked for."""
        found = [one["generation"] for one in self.rounds if type(one.get("generation")) is int]
        asked = section(self.config, "search").get("generations")
        return max(found, default=-1) + 1, asked if type(asked) is int else None

    @cached_property
    def parent(self) -> float | None:
        """Its fitness on ``select``."""
        if self.summary is not None and self.children is not None:
            return Run.of(self.summary, self.children).parent_on_select(self.measure)
        value = self.live.get("parent_fitness")
        return None if value is None else float(value)

    @cached_property
    def top(self) -> list[tuple[str, float]]:
        """The fittest so far: name, and fitness on ``select``; of a finished run its children."""
        if self.summary is not None and self.children is not None:
            run = Run.of(self.summary, self.children)
            ranked = sorted(run.children, key=lambda row: row["rank"] or 0)[:TOP]
            values = [(str(row["child_id"]), run.child(row, "select", self.measure)) for row in ranked]
            return [(name, value) for name, value in values if value is not None]
        return [(one["id"], one["value"]) for one in self.live.get("top", ())]

    @property
    def sigma(self) -> tuple[tuple[float, ...], bool] | None:
        """That children are made with, one or one a block, and whether the run found it; None while it looks for it."""
        value, asked = (section(one, "mutation").get("sigma") for one in (self.config, self.asked))
        values = tuple(value) if isinstance(value, list) else (value,)
        known = bool(values) and all(isinstance(one, int | float) for one in values)
        return (values, isinstance(asked, str)) if known else None

    @property
    def search_left_s(self) -> float | None:
        """Seconds that the search will still take, as its generations went so far."""
        done, asked = self.generations
        each, stage = self.live.get("generation_s"), self.live.get("stage") or {}
        if self.state != "running" or not each or asked is None or not str(stage.get("name", "")).startswith("g"):
            return None
        here = str(stage["name"]).partition("/")[0][1:]
        at = int(here) if here.isdecimal() else done
        now = max(float(stage.get("left") or 0.0), 0.0)
        return max(0, asked - at - 1) * float(each) + now

    def to_json(self) -> dict[str, Any]:
        """For machines: all of it but the configuration."""
        done, asked = self.generations
        live = self.live
        return {
            "state": self.state,
            "directory": self.location,
            "run_id": self.run_id,
            "holder": dict(self.holder),
            "began": live.get("began"),
            "written": live.get("written"),
            "counted": live.get("counted"),
            "stage": live.get("stage"),
            "generations": {"done": done, "asked": asked},
            "children": {"done": self.done_children, "asked": self.asked_children, "failed": live.get("failed")},
            "images": live.get("images"),
            "search_left_s": self.search_left_s,
            "fitness": {"name": self.measure.key, "higher_is_better": self.measure.higher_is_better},
            "parent": self.parent,
            "top": [{"id": name, "value": value} for name, value in self.top],
            "sigma": None if self.sigma is None else {"values": list(self.sigma[0]), "found": self.sigma[1]},
            "blocks": live.get("blocks", []),
            "workers": live.get("workers", {}),
            "notes": live.get("notes", []),
            "error": self.error or None,
            "verdict": self.verdict or None,
        }

    @property
    def done_children(self) -> int | None:
        """Children of rounds that are done."""
        if self.children is not None:
            return int(self.children.num_rows)
        found = self.live.get("children")
        return None if found is None else int(found)


def look(directory: RunDirectory) -> View:
    """What is there now.

    Raises:
        UsageError: no run has begun there, or one of its files is damaged.
    """
    found = state_of(directory)
    if found is None:
        if (who := holder_at(directory)) is not None:
            return View(directory.everywhere, "starting", who)
        if directory.exists(IDENTITY):
            directory.read_json(CONFIG)  # it was removed, which is said there
        raise UsageError(
            f"{shown(directory.location)}: no run has begun there. Name a run directory, as written by evoray run or "
            "demo, or begin one there."
        )
    config = directory.read_json(CONFIG)
    if found.name == "finished":
        summary, children = directory.read_json("summary.json"), directory.read_table("population.parquet")
        Run.of(summary, children).get("verdict")
        rounds = rounds_of(directory)
        return View(directory.everywhere, "finished", {}, config, {}, rounds, {}, summary, children)
    live, asked = _live(directory), directory.read_json(IDENTITY).get("config") or {}
    state = "running" if found.name == "running" else ended_as(live.get("error"))
    return View(directory.everywhere, state, found.holder, config, live, found.rounds, asked)


def _live(directory: RunDirectory) -> dict[str, Any]:
    """What ``state.json`` holds, and defaults for what it lacks; empty where there is none (another version's run),
    or it has just gone."""
    return Live.model_validate(directory.read_json(STATE)).model_dump() if directory.exists(STATE) else {}


def ended_as(error: object) -> str:
    """What a run that is not finished and not at work is called; error: its last words, None where it was killed."""
    return "stopped" if error is None or str(error).startswith("KeyboardInterrupt") else "failed"


def section(config: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = config.get(name)
    return found if isinstance(found, Mapping) else {}


def stage_line(view: View) -> str:
    """``generation 2 of 10: 12 of 40 children (310 images/s), 3 min left``; empty where no stage is known."""
    stage = view.live.get("stage")
    if not stage:
        return ""
    each = max(1, stage["shards"])
    unit = UNITS.get(stage["part"], "networks")
    if stage["total"] < 10 * each:
        unit, each = "evaluations", 1
    text = f"{stage_title(view)}: {stage['done'] // each:,} of {stage['total'] // each:,} {unit}"
    if stage.get("rate") and view.state == "running":
        text += f" ({rounded(stage['rate'])} {shown(view.live.get('counted', 'images'), 20)}/s)"
    if stage.get("left") is not None and view.state == "running":
        text += f", {about(stage['left'])} left"
    return text


def stage_title(view: View) -> str:
    """``generation 2 of 10``, ``final, test``"""
    stage = view.live.get("stage") or {}
    name, part = str(stage.get("name", "")), str(stage.get("part", ""))
    first = name.partition("/")[0]
    if first[:1] == "g" and first[1:].isdecimal():
        asked = view.generations[1]
        kind = ", soups" if part == "soup" else ""
        return f"generation {int(first[1:]) + 1}{f' of {asked}' if asked else ''}{kind}"
    return shown(TITLES.get(part, first), 80)


def best_line(view: View) -> str:
    """``NLL 0.2251 (g0000/c0012), the parent 0.2420``; empty where nothing is known."""
    if not view.top:
        return ""
    (name, value), parent = view.top[0], view.parent
    before = "" if parent is None else f", the parent {view.measure.show(parent)}"
    return f"{shown(view.measure.said, 80)} {view.measure.show(value)} ({shown(name, 80)}){before}"


def workers_line(view: View) -> str:
    """``8 ready, 1 starting``; empty where the backend does not say."""
    return ", ".join(f"{count} {shown(state, 20)}" for state, count in view.live.get("workers", {}).items() if count)


def learned_line(view: View) -> str:
    """Sigma, and what the blocks of the weights were given."""
    said = []
    if view.sigma is not None:
        values, found = view.sigma
        numbers = ", ".join(f"{one:.4g}" for one in values[:SOME])
        more = ", …" if len(values) > SOME else ""
        said.append(f"sigma {numbers}{more}{' (found by this run)' if found else ''}")
    elif view.asked:
        said.append("sigma is being looked for")
    blocks = view.live.get("blocks", [])
    if blocks:
        counts = ", ".join(f"{one['children']:,}" for one in blocks[:SOME])
        said.append(f"children by block {counts}{', …' if len(blocks) > SOME else ''}")
    return "; ".join(said)


def state_line(view: View) -> str:
    """``running on host (process 12) since …``"""
    if view.state in ("running", "starting"):
        host, pid, since = (shown(view.holder.get(key, ""), 60) for key in ("host", "pid", "since"))
        who = f" on {host} (process {pid})" if host and pid else ""
        return f"{view.state}{who}{f' since {since}' if since else ''}"
    return f"{view.state}{f': {shown(view.error, 400)}' if view.error else ''}"


def headline(view: View) -> str:
    """``running: generation 2 of 10``"""
    if view.verdict:
        return view.verdict
    title = stage_title(view)
    return state_line(view) if view.error or not title else f"{view.state}: {title}"


def plain_line(view: View) -> str:
    """All of it that a line of a log has room for."""
    if view.state == "finished":
        return f"finished: {shown(view.verdict, 400)}"
    left = view.search_left_s
    parts = [
        state_line(view) if view.is_over or view.state == "starting" else "",
        stage_line(view),
        f"search: {about(left)} left" if left is not None else "",
        f"best so far: {best}" if (best := best_line(view)) else "",
        f"workers: {workers}" if (workers := workers_line(view)) else "",
    ]
    return "; ".join(part for part in parts if part) or state_line(view)
