"""A run's configuration and rounds as the flat names and numbers that trackers take."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from typing import Any

ROUNDS = {"child": "children", "soup": "soups", "parent": "parent"}
"""By a round's kind, what its figures stand under."""
COUNTS = {"candidates": "count", "failed": "failed", "wall_s": "seconds"}


def flattened(config: Mapping[str, Any]) -> dict[str, Any]:
    """``{"mutation": {"sigma": 0.1}}`` as ``{"mutation.sigma": 0.1}``; lists as JSON; without keys not given."""
    return dict(_flat(config, ""))


def _flat(values: Mapping[str, Any], before: str) -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        name = f"{before}{key}"
        if isinstance(value, Mapping):
            yield from _flat(value, f"{name}.")
        elif isinstance(value, list | tuple):
            yield from _listed(value, name)
        elif value is not None:
            yield name, value


def _listed(values: list[Any] | tuple[Any, ...], name: str) -> Iterator[tuple[str, Any]]:
    if values and all(isinstance(one, Mapping) for one in values):
        for number, one in enumerate(values):
            yield from _flat(one, f"{name}.{number}.")
    else:
        yield name, json.dumps(values)


def of_round(line: Mapping[str, Any], workers: int | None = None) -> dict[str, float | int]:
    """The figures of a line of ``metrics.jsonl``: ``children/best/nll``, ``children/mean/nll``, ``children/failed``.

    Rounds of older runs have the fitness alone, higher is better: ``children/best/fitness``.
    """
    kind = ROUNDS.get(str(line.get("kind")), str(line.get("kind")))
    found: dict[str, Any] = {"generation": line.get("generation"), "workers": workers}
    found |= {f"{kind}/{name}": line.get(key) for key, name in COUNTS.items()}
    figures = line.get("figures") or {
        "best": {"fitness": line.get("best_fitness")},
        "mean": {"fitness": line.get("mean_fitness")},
    }
    found |= {f"{kind}/{of}/{plain(name)}": value for of, values in figures.items() for name, value in values.items()}
    return numbers(found)


def of_test(summary: Mapping[str, Any], networks: Mapping[str, str]) -> dict[str, float | int]:
    """Every network's figures on test: ``test/soup/nll``. networks: key of the summary -> its name here."""
    known = summary.get("measures") or {"nll": {}, "top1": {}, "top5": {}, "ece": {}}
    found: dict[str, Any] = {}
    for key, name in networks.items():
        figures = summary.get(key) or {}
        figures = figures.get("test", figures) if key == "parent" else figures
        found |= {f"test/{name}/{plain(figure)}": figures.get(figure) for figure in known}
    return numbers(found)


def plain(name: str) -> str:
    """A figure's name as every tracker takes it: a user's ``measure:macro`` is ``macro``."""
    last = name.rpartition(":")[2]
    return "".join(one if one.isalnum() or one in "_-. " else "_" for one in last) or "figure"


def numbers(values: Mapping[str, Any]) -> dict[str, float | int]:
    """Those values that are finite numbers."""
    return {
        key: value
        for key, value in values.items()
        if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    }
