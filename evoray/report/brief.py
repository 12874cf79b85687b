"""A finished run in a few lines, as Python shows a result."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

from evoray.report.measures import read_measures
from evoray.runtime.reading import shown

WIDTH = 100
NETWORKS = (("best_child", "best child"), ("soup", "soup"), ("ensemble", "ensemble"))


def brief(location: str, summary: Mapping[str, Any]) -> str:
    """Where it is, its verdict, and the fitness on ``test`` of parent, best child, soup and ensemble; whatever a
    summary lacks is left out."""
    lines = [f"RunResult in {shown(location)}", *textwrap.wrap(shown(summary.get("verdict", ""), 400), WIDTH - 2)]
    try:
        fitness = str(summary.get("fitness", "nll"))
        measure = read_measures(summary, fitness)[fitness]
        figures = [f"{name} {measure.show(value)}" for name, value in _values(summary, fitness)]
        lines.append(f"{measure.described} on test: {', '.join(figures)}")
    except (KeyError, TypeError, AttributeError, ValueError):
        pass  # a summary of another version, or one that was changed
    return "\n  ".join(lines)


def _values(summary: Mapping[str, Any], fitness: str) -> Iterator[tuple[str, float | None]]:
    """Each network that the run has, and its fitness on test."""
    parent = summary["parent"]["test"]
    key = fitness if fitness in parent else "fitness"
    yield "parent", parent[key]
    for name, words in NETWORKS:
        if isinstance(found := summary.get(name), Mapping) and key in found:
            yield f"{words} {shown(found['id'], 40)}" if "id" in found else words, found[key]
