"""The mutation window as figure and table: accuracy of children against sigma, a panel a density."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.ticker import FuncFormatter, NullFormatter

from evoray.errors import UsageError
from evoray.report import text
from evoray.report.grids import Grid
from evoray.report.look.svg import GREY, INK, OURS, PARENT, new_figure, plain, style, to_svg
from evoray.report.measures import BEFORE, ShownMeasure, own

_KEYS = ("sigma", "density", "mean", "std", "best", "worst", "share_better")


def shown_measure(document: Mapping[str, Any], measures: Mapping[str, ShownMeasure] = BEFORE) -> ShownMeasure:
    """What a window is of: top-1 accuracy, or the first figure of another task."""
    metric = str(document.get("metric", "top1"))
    return measures.get(metric) or BEFORE.get(metric) or own(metric)


def window_figure(document: Mapping[str, Any], measures: Mapping[str, ShownMeasure] = BEFORE) -> str | None:
    """An SVG element from ``window.json``; None where it has no cells.

    Args:
        measures: of the run that it belongs to.

    Raises:
        UsageError: the document lacks something; names it.
    """
    measure = shown_measure(document, measures)
    rows = {density: _defined(cells) for density, cells in _by_density(document, measure.key).items()}
    rows = {density: cells for density, cells in rows.items() if cells}
    if not rows:
        return None
    factor, unit = measure.factor, "%" if measure.is_fraction else measure.unit
    parent = factor * float(document["parent"][measure.key])
    widest = {round(1 / one["density"]): one["sigma"] for one in document.get("widest", [])}
    with style("window"):
        figure, panels = new_figure(0.9 + 1.55 * len(rows), len(rows), share_x=True)
        for axes, (density, cells) in zip(panels, rows.items(), strict=True):
            sigmas = [cell["sigma"] for cell in cells]
            mean, std = ([factor * (cell[key] or 0.0) for cell in cells] for key in ("mean", "std"))
            top = 100.0 if measure.is_fraction else math.inf
            low, high = ([max(0.0, min(top, m + sign * s)) for m, s in zip(mean, std, strict=True)] for sign in (-1, 1))
            axes.fill_between(sigmas, low, high, color=OURS, alpha=0.18, linewidth=0, label="± one spread")
            axes.plot(sigmas, mean, "o-", color=OURS, markersize=4, label="Mean child")
            axes.plot(
                sigmas, [factor * cell["best"] for cell in cells], "^", color=INK, markersize=4.5, label="Best child"
            )
            axes.axhline(parent, color=PARENT, linewidth=1.4, label="Parent")
            if widest.get(round(1 / density)) is not None:
                axes.axvline(widest[round(1 / density)], color=GREY, linewidth=1, linestyle=":", label="Widest sigma")
            axes.set_xscale("log")
            axes.set_title(f"Density {text.plain(density)}", loc="left")
            axes.set_ylabel(f"{measure.short} ({unit})" if unit else measure.short)
            axes.margins(x=0.04)
            axes.set_ylim(*_frame(rows, parent, factor))  # one scale for all: how wide the window is shows side by side
        last = panels[-1]
        last.set_xticks(_ticks([cell["sigma"] for cells in rows.values() for cell in cells]))
        last.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.3g}"))
        last.xaxis.set_minor_formatter(NullFormatter())
        last.tick_params(axis="x", rotation=45)
        last.set_xlabel(f"Sigma ({_unit(document)})")
        found: dict[str, Any] = {}
        for axes in panels:
            handles, labels = axes.get_legend_handles_labels()
            found |= dict(zip(labels, handles, strict=True))
        figure.legend(
            found.values(), found.keys(), loc="outside upper left", ncols=3, handletextpad=0.4, columnspacing=1.0
        )
        return to_svg(
            figure, f"{measure.label} of children on select against sigma, one panel a density, and the parent's line"
        )


def _ticks(sigmas: Sequence[float]) -> list[float]:
    """Of the sigmas that were tried, those far enough apart for their labels."""
    kept: list[float] = []
    for sigma in sorted(sigmas):
        if not kept or sigma >= 1.5 * kept[-1]:
            kept.append(sigma)
    return kept


def _defined(cells: list[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Cells of which some child did not fail."""
    return [cell for cell in cells if cell["mean"] is not None]


def _frame(rows: Mapping[float, list[Mapping[str, Any]]], parent: float, factor: int) -> tuple[float, float]:
    """Bottom and top that hold every mean, spread and best child."""
    cells = [cell for cells in rows.values() for cell in cells]
    ends = [value for cell in cells for value in (max(0.0, cell["mean"] - (cell["std"] or 0.0)), cell["best"])]
    low, high = min(parent, *(factor * value for value in ends)), max(parent, *(factor * value for value in ends))
    margin = 0.06 * (high - low) or 1.0
    return low - margin, high + margin


def picture(document: Mapping[str, Any]) -> str:
    """The same as an SVG file that stands alone."""
    drawn = plain(window_figure(document) or "<svg></svg>")
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + drawn.replace(
        "<svg", '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"', 1
    )


def window_grid(document: Mapping[str, Any]) -> Grid:
    """A row a cell: mean, spread, best and share better than the parent; the widest sigma is marked."""
    measure = shown_measure(document)
    widest = {round(1 / one["density"]): one for one in document.get("widest", [])}
    kept = max((one["share_kept"] for one in widest.values()), default=None)
    rows = tuple(
        (
            text.plain(cell["density"]),
            text.plain(cell["sigma"])
            + (" *" if widest.get(round(1 / density), {}).get("sigma") == cell["sigma"] else ""),
            *(measure.show(cell[key]) for key in ("mean", "std", "best", "worst")),
            text.percent(cell["share_better"]),
        )
        for density, cells in _by_density(document, measure.key).items()
        for cell in cells
    )
    parent = document["parent"]
    return Grid(
        title=f"Mutation window: {measure.in_table} on {text.count(parent['n'])} select "
        f"{document.get('counted', 'images')}; the parent has "
        f"{measure.show(parent[measure.key])}",
        columns=("Density", "Sigma", "Mean", "Spread", "Best", "Worst", "Better than parent"),
        rows=rows,
        note=f"* the widest sigma whose mean child keeps {text.percent(kept)} of the parent's {measure.said}"
        if widest
        else "",
    )


def _by_density(document: Mapping[str, Any], metric: str) -> dict[float, list[Mapping[str, Any]]]:
    rows: dict[float, list[Mapping[str, Any]]] = {}
    if metric not in document.get("parent", {}):
        raise UsageError(f"window.json: no parent.{metric}. Take the file as evoray window wrote it.")
    for cell in document.get("cells", []):
        missing = [key for key in _KEYS if key not in cell]
        if missing:
            raise UsageError(
                f"window.json: a cell without {', '.join(missing)}. Take the file as evoray window wrote it."
            )
        rows.setdefault(float(cell["density"]), []).append(cell)
    return {
        density: sorted(cells, key=lambda cell: float(cell["sigma"]))
        for density, cells in sorted(rows.items(), reverse=True)
    }


def _unit(document: Mapping[str, Any]) -> str:
    return "of a tensor's root mean square" if document.get("scale", "rms") == "rms" else "in units of the weights"
