"""Runs side by side: what differs in how they were asked, what they found and cost, and their paired differences."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from evoray.config import parse_config
from evoray.errors import ConfigError, UsageError
from evoray.evaluation.units.ensemble import BLOCKS
from evoray.fitness.per_class import OF_COUNTS
from evoray.report import grids, text
from evoray.report.finished_run import NETWORKS
from evoray.report.grids import EFFECTS, READINGS, Grid
from evoray.report.measures import ShownMeasure
from evoray.runs.pairing import Named, Pair, check_names, pair_all
from evoray.runs.run import Run, load_run
from evoray.runtime.paths import expanded, is_uri
from evoray.runtime.reading import shown

OWN = (("task", "name"), ("mutation", "kind"), ("search", "strategy"), ("compute", "backend"))
"""Keys by whose value a user's class is imported."""
UNPAIRED = "An interval here is of a network's difference from its own parent, and says nothing between runs."


@dataclass(frozen=True)
class Compared:
    """What ``compare_runs`` found: ``to_dict`` for machines, ``grids`` for people."""

    runs: tuple[Named, ...]
    pairs: tuple[Pair, ...]

    @property
    def first(self) -> str:
        return self.runs[0].name

    @property
    def remarks(self) -> list[str]:
        """What was not compared, and why."""
        found = [
            f"{one.one.name} and {one.other.name} are not compared: {one.reason}" for one in self.pairs if one.reason
        ]
        left = {said: None for one in self.pairs for said in one.left_out}
        if left:
            found.append(
                f"{', '.join(left)} is shown, and not compared: the runs keep neither its scores of single records nor "
                "what it is made of."
            )
        return found

    @property
    def grids(self) -> list[Grid]:
        """Paired differences, every run's own figures, what differs in the configuration, recipes and cost."""
        paired = [_paired(self)] if any(one.comparisons for one in self.pairs) else []
        return [*paired, *_figures(self.runs), _configuration(self.runs), _cost(self.runs)]

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready: what is not defined is None."""
        return {
            "runs": [_document(one) for one in self.runs],
            "configuration": [
                {"key": key, "values": dict(zip(self._names, values, strict=True))}
                for key, values in differing(self.runs)
            ],
            "comparisons": [
                one.to_dict()
                | {"run": pair.one.name, "against": pair.other.name, "effect": one.effect}
                | {"n": len(pair.one.records.index)}
                for pair in self.pairs
                for one in pair.comparisons
            ],
            "not_compared": [
                {"run": one.one.name, "against": one.other.name, "reason": one.reason}
                for one in self.pairs
                if one.reason
            ],
        }

    @property
    def _names(self) -> list[str]:
        return [one.name for one in self.runs]


def compare_runs(locations: Sequence[str], against: str | None = None) -> Compared:
    """Two finished runs or more; every one is compared with the first, where they can be.

    Args:
        against: the one that the others are compared with, among ``locations`` or not; it then comes first.

    Raises:
        UsageError: one is no run, has not finished, is damaged, or is named twice.
    """
    if against is not None:
        locations = [against, *(one for one in locations if _place(one) != _place(against))]
    check_names(locations)
    runs = [_finished(one) for one in locations]
    named = tuple(Named(name, run) for name, run in zip(_names(locations), runs, strict=True))
    for one in named:
        one.finished.main, one.finished.comparisons, one.run.config  # noqa: B018  # damaged ones are refused here
    return Compared(named, tuple(pair_all(named)))


def _place(location: str) -> str:
    return location.rstrip("/") if is_uri(location) else os.path.abspath(expanded(location))


def _finished(location: str) -> Run:
    run = load_run(location)
    if run.state != "finished":
        raise UsageError(
            f"{shown(location)}: this run is {run.state} and has not finished (no summary.json in it), so nothing was "
            f"measured on test. Leave it out, or go on with evoray run CONFIG.toml --out {shown(location)} --resume."
        )
    return run


def _names(locations: Sequence[str]) -> list[str]:
    """Of each path as much of its end as tells it from the others."""
    parts = [
        [part for part in (one.partition("?")[0] if "://" in one else os.path.abspath(one)).split("/") if part]
        for one in locations
    ]
    for count in range(1, max(map(len, parts)) + 1):
        names = ["/".join(one[-count:]) for one in parts]
        if len(set(names)) == len(names):
            return [shown(name, 60) for name in names]
    raise UsageError(f"{shown(locations[-1])}: named twice. Name different runs.")


def _document(one: Named) -> dict[str, Any]:
    finished = one.finished
    networks = {}
    for network in finished.networks:
        found = {key: finished.test(network, key) for key in finished.measures if _has(finished, network, key)}
        networks[network] = {"test": found}
    return {
        "name": one.name,
        "directory": one.run.directory.location,
        "run_id": finished.get("run_id"),
        "task": one.task["name"],
        "fitness": finished.fitness,
        "verdict": one.run.verdict,
        "networks": networks,
        "from_parent": [each.to_dict() for each in finished.comparisons],
        "work": finished.recorded("work"),
    }


def _has(finished: Any, network: str, key: str) -> bool:
    try:
        finished.test(network, key)
    except UsageError:
        return False
    return True


def _paired(found: Compared) -> Grid:
    columns = ("Run", "Network", "Measure", "Difference", "95% interval", "p", "Reading")
    rows = []
    for pair in found.pairs:
        for one in pair.comparisons:
            measure = pair.one.finished.measures[one.metric]
            who = (pair.one.name, NETWORKS[one.name], measure.short)
            rows.append((*who, *grids.difference(one, measure), READINGS[one.effect]))
    paired = next(pair for pair in found.pairs if pair.comparisons)
    records, n = paired.one.finished.records, len(paired.one.records.index)
    note = (
        f"Each run's network minus that of {found.first}, on the same {n:,} test {records}, {_tests(found)}. p counts "
    )
    note += (
        f"what was compared (Holm): in the fitness, all runs and networks; else all {len(rows)} rows. Each interval "
    )
    note += "stands alone."
    return Grid(f"Difference from {found.first}", columns, tuple(rows), note, words=3)


def _tests(found: Compared) -> str:
    """The measures' units with their tests, once each."""
    said: dict[str, None] = {}
    for pair in found.pairs:
        for one in pair.comparisons:
            measure = pair.one.finished.measures[one.metric]
            test = "exact McNemar test" if measure.is_fraction else "paired t-test"
            test = f"jackknife over {BLOCKS} groups of them" if one.metric in OF_COUNTS else test
            said[f"{measure.short} in {measure.difference_unit} ({test})"] = None
    return ", ".join(said)


def _figures(runs: Sequence[Named]) -> list[Grid]:
    """A grid for each task and measure that some runs share: the fitness, and what they compared besides."""
    groups: dict[tuple[str, str], list[Named]] = {}
    for one in runs:
        groups.setdefault((one.task["name"], one.finished.fitness), []).append(one)
    found = []
    for (task, _), members in groups.items():
        for measure in filter(None, (members[0].finished.main, members[0].finished.beside)):
            title = f"{measure.label} on test, {measure.direction}"
            if len(groups) > 1:
                title += f" ({task}, searched by {members[0].finished.main.said})"
            rows = [row for one in members for row in _figure_rows(one, measure)]
            columns = ("Run", "Network", "On test", "Minus parent's", "95% interval", "Reading")
            found.append(Grid(title, columns, tuple(rows), UNPAIRED, words=2))
    return found


def _figure_rows(one: Named, measure: ShownMeasure) -> list[tuple[str, ...]]:
    finished = one.finished
    rows: list[tuple[str, ...]] = []
    for network in finished.networks:
        value = (
            measure.show(finished.test(network, measure.key)) if _has(finished, network, measure.key) else text.NOTHING
        )
        own = finished.comparison(network, measure.key)
        difference, interval, reading = "", "", ""
        if own is not None:
            difference, interval, _ = grids.difference(own, measure)
            reading = EFFECTS[own.effect]
        rows.append((one.name, finished.label(network), value, difference, interval, reading))
    return rows


def differing(runs: Sequence[Named]) -> list[tuple[str, tuple[str, ...]]]:
    """Keys of the resolved configurations whose values are not the same in all runs, with each run's value."""
    flat = [_settings(one.run.config) for one in runs]
    keys = dict.fromkeys(key for one in flat for key in one)
    found = [(key, tuple(one.get(key, text.NOTHING) for one in flat)) for key in keys]
    return [(key, values) for key, values in found if len(set(values)) > 1]


def _settings(config: dict[str, Any]) -> dict[str, str]:
    found: Any = grids.settings(_completed(config)).rows
    return dict(found)


def _completed(config: dict[str, Any]) -> dict[str, Any]:
    """Keys that are newer than the run, with their defaults; nothing of a user's is imported to find them."""
    own = ((config.get(section) or {}).get(key) for section, key in OWN)
    if any(isinstance(one, str) and ":" in one for one in own):
        return config
    try:
        return parse_config(config).model_dump(mode="json")
    except (ConfigError, RecursionError):
        return config


def _configuration(runs: Sequence[Named]) -> Grid:
    rows = tuple((key, *values) for key, values in differing(runs))
    note = "Only keys that differ." if rows else "Every key is the same."
    return Grid("Configuration", ("Key", *(one.name for one in runs)), rows, note, words=len(runs) + 1)


def _cost(runs: Sequence[Named]) -> Grid:
    """What a network's recipe takes, and what the search did."""
    lines: Mapping[str, Callable[[Named], str]] = {
        "Weights that may mutate": lambda one: text.count(one.finished.recorded("mutation").get("n")),
        "Mutated in one child": lambda one: text.percent(one.finished.recorded("mutation").get("density")),
        "Sigma": lambda one: text.plain(one.finished.recorded("mutation").get("sigma")),
        "Recipe of the best child": lambda one: text.size(one.run.directory.size("lineage/best.json")),
        "Recipe of the soup": lambda one: text.size(one.run.directory.size("lineage/soup.json")),
        "Mutations in the soup": lambda one: text.count(one.finished.section("soup").get("entries")),
        "Members of the ensemble": lambda one: text.count(len(one.finished.members)),
        "Wall time": lambda one: text.duration(_work(one, "wall_s")),
        "Image or record passes": lambda one: text.count(_work(one, "images")),
        "Passes per second": lambda one: text.count(_work(one, "images_per_s")),
        "Workers": lambda one: text.count(_work(one, "workers")),
        "Backend": lambda one: str(one.finished.section("work").get("backend", text.NOTHING)),
    }
    rows = tuple((what, *(said(one) for one in runs)) for what, said in lines.items())
    return Grid("Recipes and cost", ("What", *(one.name for one in runs)), rows)


def _work(one: Named, key: str) -> float | None:
    return one.finished.recorded("work").get(key)
