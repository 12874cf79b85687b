"""A finished run in a few lines, as Python and notebooks show a result."""

import html
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from evoray.errors import UsageError
from evoray.report import grids
from evoray.report.finished_run import Run
from evoray.report.measures import ShownMeasure, read_measures
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


def as_html(location: str, summary: Mapping[str, Any]) -> str:
    """The same for a notebook: verdict, and each network's figures on ``test`` with what it differs from the parent."""
    run = Run(summary, [])
    try:
        measures = [one for one in (run.main, run.beside) if one]
        heads = [head for one in measures for head in (one.axis, "minus the parent's (95% interval)")]
        rows = [[run.label(name), *_cells(run, name, measures)] for name in run.networks]
    except (UsageError, KeyError, TypeError, AttributeError, ValueError) as error:
        return f"<p>{_text(location)}: {_text(error)}</p>"
    verdict = f"<p>{_text(location)}<br><b>{_text(summary.get('verdict', ''))}</b></p>"
    return verdict + html_table(["Network", *heads], rows)


def html_table(heads: Sequence[object], rows: Sequence[Sequence[object]]) -> str:
    """A plain ``<table>``; whatever its cells hold is text."""
    head = "".join(f'<th scope="col">{_text(one)}</th>' for one in heads)
    body = "".join(f"<tr>{''.join(f'<td>{_text(cell)}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _cells(run: Run, network: str, measures: Sequence[ShownMeasure]) -> Iterator[str]:
    for measure in measures:
        yield measure.show(run.test(network, measure.key))
        one = run.comparison(network, measure.key)
        yield "" if one is None else "{} ({})".format(*grids.difference(one, measure))


def _text(value: object) -> str:
    return html.escape(shown(value, 2000))


def _values(summary: Mapping[str, Any], fitness: str) -> Iterator[tuple[str, float | None]]:
    """Each network that the run has, and its fitness on test."""
    parent = summary["parent"]["test"]
    key = fitness if fitness in parent else "fitness"
    yield "parent", parent[key]
    for name, words in NETWORKS:
        if isinstance(found := summary.get(name), Mapping) and key in found:
            yield f"{words} {shown(found['id'], 40)}" if "id" in found else words, found[key]
