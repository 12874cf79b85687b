"""The figures of a run. Each returns an SVG element, or None where the run has nothing to show in it."""

import itertools
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from evoray.report.finished_run import NETWORKS, Run
from evoray.report.look.svg import BAD, GOOD, GREY, INK, OURS, PARENT, SMALL, new_figure, style, to_svg
from evoray.report.measures import ShownMeasure
from evoray.statistics import Comparison

DOTS = 1500
"""More children than this are drawn as a line, which is as dense and a tenth of the size."""


def population(run: Run) -> str | None:
    """All children on ``select``, sorted within each generation, against the parent; members marked."""
    axis = run.main
    found = [(value, row) for row in run.children if (value := run.child(row, "select", axis)) is not None]
    if not found:
        return None
    found.sort(key=lambda one: (one[1]["generation"], -axis.sign * one[0]))
    values, known = np.array([value for value, _ in found]) * axis.factor, [row for _, row in found]
    member = np.isin([row["child_id"] for row in known], run.members)
    parent = run.parent_on_select(axis)
    with style("population"):
        figure, (axes,) = new_figure(3.5)
        places = np.arange(1, len(values) + 1)
        _children(axes, places, values, member)
        if parent is not None:
            axes.axhline(parent * axis.factor, color=PARENT, linewidth=1.4, label="Parent")
        _generations(axes, [row["generation"] for row in known])
        _frame_most(axes, values, member, [] if parent is None else [parent * axis.factor])
        axes.set_xlabel("Children, best first within a generation (count)")
        axes.set_ylabel(f"{axis.axis} on select")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        figure.legend(loc="outside upper left", ncols=3, handletextpad=0.4, columnspacing=1.2)
        shown = f"{len(values)} children sorted by {axis.axis} on the select {run.records}, against the parent's line"
        return to_svg(figure, shown)


def _children(axes: Axes, places: np.ndarray, values: np.ndarray, member: np.ndarray) -> None:
    if len(values) > DOTS:
        axes.plot(places, values, color=OURS, linewidth=2, label="Children")
    else:
        size = 16 if len(values) <= 200 else 6
        axes.scatter(places[~member], values[~member], s=size, facecolors="white", edgecolors=OURS, label="Children")
    axes.scatter(places[member], values[member], s=26, marker="D", color=INK, zorder=3, label="Ensemble members")


def _generations(axes: Axes, generation: list[int]) -> None:
    """Thin lines where a generation ends; the numbers below the top edge while they fit."""
    counts = [(number, len(list(rows))) for number, rows in itertools.groupby(generation)]
    if len(counts) < 2:
        return
    ends = np.cumsum([size for _, size in counts])
    for end in ends[:-1]:
        axes.axvline(float(end) + 0.5, color=GREY, linewidth=0.6, linestyle=":")
    if len(counts) <= 8:
        for (number, size), end in zip(counts, ends, strict=True):
            axes.text(
                float(end) - size / 2 + 0.5,
                0.99,
                f"gen {number}",
                transform=axes.get_xaxis_transform(),
                ha="center",
                va="top",
                fontsize=SMALL,
                color=GREY,
            )


def _frame_most(axes: Axes, values: np.ndarray, member: np.ndarray, always: list[float]) -> None:
    """Keeps a few ruined children from flattening all others; says how many stand outside the frame."""
    low, middle, high = np.quantile(values, [0.25, 0.5, 0.75])
    near = member | (np.abs(values - middle) <= 6 * max(high - low, 1e-9))
    inside = np.concatenate([values[near], always])
    outside = int(np.count_nonzero(~near))
    bottom, top = float(inside.min()), float(inside.max())
    margin = 0.08 * (top - bottom) or 0.05 * abs(top) or 1.0
    axes.set_ylim(bottom - margin, top + 2 * margin)
    if outside:
        axes.text(
            0.99, 0.03, f"{outside} outside the frame", transform=axes.transAxes, ha="right", fontsize=SMALL, color=GREY
        )


def ensemble_size(run: Run) -> str | None:
    """What is known on test while members join, against the parent, with the paired interval at full size."""
    curve = run.curve
    if not curve or run.members == ["parent"]:
        return None
    sizes = [int(point["size"]) for point in curve]
    shown = [one for key, one in run.measures.items() if key in curve[0]]
    if not shown:
        return None
    with style("size"):
        figure, panels = new_figure(0.6 + 2.0 * len(shown), len(shown), share_x=True)
        for axes, axis in zip(panels, shown, strict=True):
            points = [np.nan if point[axis.key] is None else point[axis.key] * axis.factor for point in curve]
            axes.plot(sizes, points, "o-", color=OURS, markersize=4.5, label="Ensemble")
            _against_parent(axes, axis, run, sizes[-1])
            axes.set_ylabel(axis.axis)
            axes.margins(x=0.06, y=0.15)
        panels[-1].set_xlabel("Ensemble size (members)")
        panels[-1].xaxis.set_major_locator(MaxNLocator(integer=True))
        handles, labels = panels[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper left", ncols=3, handletextpad=0.4, columnspacing=1.2)
        named = " and ".join(one.label for one in shown)
        return to_svg(figure, f"{named} of the ensemble on test against its size, and the parent's")


def _against_parent(axes: Axes, axis: ShownMeasure, run: Run, size: int) -> None:
    parent = run.test("parent", axis.key)
    if parent is None:
        return
    axes.axhline(parent * axis.factor, color=PARENT, linewidth=1.4, label="Parent")
    one = run.comparison("ensemble", axis.key)
    if one is None or one.effect == "undefined":
        return
    # the interval is of the paired difference, so it is drawn on the parent's line and read against that line
    bounds = [(parent + bound) * axis.factor for bound in one.ci95]
    axes.plot([size, size], bounds, color=INK, linewidth=1.4, marker="_", markersize=9, label="95% interval")


def differences(run: Run) -> str | None:
    """A forest plot: every network's difference from the parent with its 95% interval."""
    found = [one for one in run.comparisons if one.effect != "undefined" and one.against == "parent"]
    rows: dict[ShownMeasure, list[Comparison]] = {}
    for one in found:
        measure = run.measure_of(one)
        rows.setdefault(measure, []).append(one.turned(measure.higher_is_better))
    if not rows:
        return None
    measures = sorted(rows, key=lambda measure: measure.key != run.fitness)
    with style("differences"):
        figure, panels = new_figure(0.3 + 2.0 * len(measures), len(measures))
        for axes, measure in zip(panels, measures, strict=True):
            forest(axes, measure, rows[measure])
        return to_svg(figure, "Differences from the parent on test with 95% intervals, for each network and measure")


def forest(axes: Axes, measure: ShownMeasure, rows: Sequence[Comparison], minus: str = "the parent's") -> None:
    """A row a difference with its interval, the first on top. minus: whose value was taken off."""
    factor = measure.factor
    colours = {"better": GOOD, "worse": BAD, "not shown": GREY}
    for place, one in enumerate(rows):
        colour = colours[one.effect]
        bounds = [bound * factor for bound in one.ci95]
        axes.plot(bounds, [place, place], color=colour, linewidth=2.2, solid_capstyle="butt")
        filled = colour if one.effect != "not shown" else "white"
        axes.plot(one.difference * factor, place, "o", color=colour, markerfacecolor=filled, markersize=7)
    axes.axvline(0, color=PARENT, linewidth=1.4)
    axes.set_yticks(range(len(rows)), [NETWORKS.get(one.name, one.name) for one in rows])
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.margins(x=0.12)
    axes.grid(axis="y", visible=False)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=5))
    left, right = ("worse", "better") if measure.higher_is_better else ("better", "worse")
    axes.set_title(f"← {left}", loc="left", color=GREY)
    axes.set_title(f"{right} →", loc="right", color=GREY)
    axes.set_xlabel(f"{measure.label} minus {minus} ({measure.difference_unit})")


def reliability(run: Run) -> str | None:
    """Accuracy against confidence, bin by bin, where the summary has ``reliability`` (see statistics.calibration)."""
    found = run.reliability
    if not found:
        return None
    marks = {"parent": ("s--", PARENT), "best_child": ("v:", GREY), "soup": ("^-.", GOOD), "ensemble": ("o-", OURS)}
    with style("reliability"):
        figure, (axes,) = new_figure(3.9)
        axes.plot([0, 100], [0, 100], color=GREY, linewidth=1, linestyle=":", label="Perfect")
        for name, sums in found.items():
            counts, hits = np.array(sums["counts"]), np.array(sums["hits"])
            confidence = np.array(sums["confidence"], dtype=float)
            some = counts > 0
            mark, colour = marks[name]
            places = 100 * confidence[some] / counts[some], 100 * hits[some] / counts[some]
            axes.plot(*places, mark[1:], color=colour, linewidth=1)
            size = 6 + 90 * np.sqrt(counts[some] / counts.sum())
            axes.scatter(*places, s=size, color=colour, marker=mark[0], label=NETWORKS[name])
        axes.set_xlabel("Confidence, mean of its bin (%)")
        axes.set_ylabel("Accuracy on test (%)")
        figure.legend(loc="outside upper left", ncols=4, handletextpad=0.4, columnspacing=1.0)
        return to_svg(figure, "Accuracy on test against confidence in 15 bins; on the diagonal, confidence is right")
