"""How the search went: generation after generation, and what a place on ``select`` was worth on ``test``."""

import numpy as np
from matplotlib.ticker import MaxNLocator

from evoray.report.finished_run import Run
from evoray.report.look.svg import GREY, INK, LINE, OURS, PARENT, new_figure, style, to_svg


def generations(run: Run) -> str | None:
    """Best, middle and the middle half of each generation's children on ``select``; None for a single generation."""
    axis = run.main
    groups: dict[int, list[float]] = {}
    for row in run.children:
        if (value := run.child(row, "select", axis)) is not None:
            groups.setdefault(int(row["generation"]), []).append(value * axis.factor)
    if len(groups) < 2:
        return None
    numbers = sorted(groups)
    low, middle, high = (np.array([np.quantile(groups[n], q) for n in numbers]) for q in (0.25, 0.5, 0.75))
    choose = max if axis.higher_is_better else min
    best = [choose(groups[number]) for number in numbers]
    parent = run.parent_on_select(axis)
    with style("generations"):
        figure, (axes,) = new_figure(3.3)
        axes.fill_between(numbers, low, high, color=LINE, label="Middle half of the children")
        axes.plot(numbers, middle, "o--", color=GREY, markersize=4, label="Median child")
        axes.plot(numbers, best, "D-", color=OURS, markersize=4.5, label="Best child")
        if parent is not None:
            axes.axhline(parent * axis.factor, color=PARENT, linewidth=1.4, label="Parent")
        axes.set_xlabel("Generation (count)")
        axes.set_ylabel(f"{axis.axis} on select")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.margins(x=0.04)
        figure.legend(loc="outside upper left", ncols=2, handletextpad=0.4, columnspacing=1.2)
        return to_svg(figure, f"{axis.axis} of each generation's children on select, against the parent's line")


def select_test(run: Run) -> str | None:
    """Children drawn by chance: their fitness on ``select`` and on ``test``, with the parent's."""
    found = run.section("children")
    points = [(one["select"], one["test"]) for one in found.get("sample", []) if one["test"] is not None]
    if len(points) < 2:
        return None
    label, factor = run.main.axis, run.main.sign * run.main.factor
    ours = np.array(points, dtype=np.float64) * factor
    parent = found.get("parent", {})
    rho = found.get("select_test", {}).get("spearman")
    with style("select-test"):
        figure, (axes,) = new_figure(3.6)
        axes.scatter(ours[:, 0], ours[:, 1], s=22, facecolors="white", edgecolors=OURS, label="Children")
        if parent.get("select") is not None and parent.get("test") is not None:
            at = (parent["select"] * factor, parent["test"] * factor)
            axes.axvline(at[0], color=PARENT, linewidth=0.8, linestyle=":")
            axes.axhline(at[1], color=PARENT, linewidth=0.8, linestyle=":")
            axes.scatter(*at, s=44, marker="s", color=PARENT, label="Parent", zorder=3)
        axes.set_xlabel(f"{label} on select")
        axes.set_ylabel(f"{label} on test")
        axes.margins(0.08)
        axes.xaxis.set_major_locator(MaxNLocator(nbins=6))
        if rho is not None:
            axes.set_title(f"Spearman's correlation {rho:.2f} over {len(points)} children", color=INK, loc="left")
        figure.legend(loc="outside upper left", ncols=2, handletextpad=0.4, columnspacing=1.2)
        return to_svg(figure, f"{label} of {len(points)} children drawn by chance, on select and on test")
