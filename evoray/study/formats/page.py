"""The study as a page that stands alone: every seed's point with the mean and its interval, then the tables."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from evoray.report.grids import Grid
from evoray.report.look.svg import BAD, GOOD, GREY, OURS, PARENT, SMALL, new_figure, style, to_svg
from evoray.report.measures import ShownMeasure
from evoray.report.page import environment
from evoray.statistics import over_seeds
from evoray.study.grouping import LABELS, by_parent, by_search, measures_of, rows_for_tables
from evoray.study.outcome import NETWORKS, Outcome

CAPTION = """Circle: a seed's difference to its parent on test; diamond and bar: the mean over seeds with Student's 95%
interval, green or red where it is clear of zero, grey where it is not. One seed has no interval."""
ROW = 0.27
"""Inches of a row."""
SAME = 1e-9
"""Differences under this are none."""


@dataclass(frozen=True)
class Strip:
    """A row of a figure: the differences of one network after one search, a value a seed."""

    label: str
    values: tuple[float, ...]


def page(title: str, outcomes: Sequence[Outcome], grids: Sequence[Grid]) -> str:
    """The HTML, the same bytes for the same outcomes."""
    figures = [{"title": name, "svg": Markup(svg)} for name, svg in spreads(outcomes)]
    found = environment(Path(__file__).parent).get_template("study.html.j2")
    runs = len({one.run for one in outcomes})
    return found.render(title=title, runs=runs, figures=figures, caption=CAPTION, grids=grids)


def spreads(outcomes: Sequence[Outcome]) -> Iterator[tuple[str, str]]:
    """(title, SVG) for each fitness and parent."""
    fitnesses = {one.measure.key: one.measure for one in outcomes}
    for measure in fitnesses.values():
        some = [one for one in outcomes if one.measure.key == measure.key]
        for parent, own in by_parent(rows_for_tables(some)):
            strips = {one: list(strips_of(own, one)) for one in measures_of(own)}
            name = f"{parent}: {measure.said} of every seed" if len(fitnesses) > 1 else f"{parent}, every seed"
            if svg := _drawn(f"{parent}-{measure.key}", strips):
                yield name, svg


def strips_of(own: Sequence[Outcome], measure: ShownMeasure) -> Iterator[Strip]:
    """Of one parent: each search's networks, where they were compared with the parent."""
    for search, some in by_search(own):
        for network in NETWORKS:
            known = [one for one in some if network in one.comparisons[measure.key]]
            values = tuple(one.difference(network, measure) * measure.factor for one in known)
            if values and not any(map(math.isnan, values)):  # NaN where one is not defined
                yield Strip(f"{LABELS[network]}\n{_short(search)}", values)


def _short(name: str) -> str:
    return name if len(name) <= 26 else f"{name[:12]}…{name[-13:]}"


def _drawn(name: str, strips: dict[ShownMeasure, list[Strip]]) -> str:
    panels = {measure: rows for measure, rows in strips.items() if rows}
    if not panels:
        return ""
    with style(f"study-{name}"):
        height = sum(0.9 + max(2, len(rows)) * ROW * 1.35 for rows in panels.values())
        figure, axes = new_figure(height, len(panels))
        for one, (measure, rows) in zip(axes, panels.items(), strict=True):
            _strips(one, measure, rows)
        return to_svg(figure, f"{name}: every seed's difference to the parent on test, with means and intervals")


def _strips(axes: Axes, measure: ShownMeasure, rows: Sequence[Strip]) -> None:
    for place, row in enumerate(rows):
        found = over_seeds(row.values)
        colour = _colour(measure, found.low, found.high)
        if found.n > 1:
            axes.plot([found.low, found.high], [place, place], color=colour, linewidth=2.2, solid_capstyle="butt")
        axes.plot(found.mean, place, "D", color=colour, markersize=6, zorder=3)
        axes.plot(row.values, [place - 0.3] * found.n, "o", color=OURS, markerfacecolor="none", markersize=4)
    axes.axvline(0, color=PARENT, linewidth=1.4)
    axes.set_yticks(range(len(rows)), [row.label for row in rows])
    axes.set_ylim(len(rows) - 0.4, -0.7)
    axes.margins(x=0.1)
    if max(abs(value) for row in rows for value in row.values) < SAME:
        axes.set_xlim(-1, 1)  # of nothing but zeros an axis would show rounding errors
    axes.grid(axis="y", visible=False)
    axes.tick_params(axis="y", labelsize=SMALL)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=5))
    left, right = ("worse", "better") if measure.higher_is_better else ("better", "worse")
    axes.set_title(f"← {left}", loc="left", color=GREY)
    axes.set_title(f"{right} →", loc="right", color=GREY)
    axes.set_xlabel(f"{measure.label} minus the parent's ({measure.difference_unit})")


def _colour(measure: ShownMeasure, low: float, high: float) -> str:
    """Of a mean: grey also where there is no interval."""
    if low > 0 or high < 0:
        return GOOD if (low > 0) == measure.higher_is_better else BAD
    return GREY
