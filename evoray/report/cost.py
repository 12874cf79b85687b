"""What the ensemble's members have in common, and where the time went."""

import math

import numpy as np
from matplotlib.colors import LinearSegmentedColormap, to_rgba
from matplotlib.ticker import MaxNLocator

from evoray.report.finished_run import Run
from evoray.report.look.svg import OURS, SMALL, new_figure, style, to_svg

STAGES = {
    "auto": "Finding sigma",
    "parent": "Parent",
    "child": "Children",
    "soup": "Soups",
    "ensemble/candidates": "Choosing members",
    "soup/recalibrate": "BatchNorm of the soup",
    "panel/select": "Calibration on select",
    "panel/test": "Networks on test",
    "sample/test": "Sample of children on test",
    "guard": "Guards",
}
ANNOTATED = 8
"""Up to this many members every pair's number is written into its square."""


def diversity(run: Run) -> str | None:
    """How often every two members answer differently, in shades that print; None for a single member."""
    rows = run.section("ensemble", "diversity", "pairs").get("disagreement", [])
    if len(rows) < 2:
        return None
    shares = np.array([[math.nan if value is None else 100 * value for value in row] for row in rows])
    np.fill_diagonal(shares, math.nan)
    count = len(shares)
    with style("diversity"):
        figure, (axes,) = new_figure(4.1)
        edges = np.arange(count + 1) + 0.5
        top = float(np.nanmax(shares)) or 1.0
        # light enough to read numbers on, also in the dark; few levels: matplotlib draws many as a picture of pixels
        shades = LinearSegmentedColormap.from_list("shades", [to_rgba(OURS, 0.0), to_rgba(OURS, 0.45)], N=8)
        mesh = axes.pcolormesh(edges, edges, shares, cmap=shades, vmin=0, vmax=top)
        axes.set_aspect("equal")
        axes.invert_yaxis()
        axes.grid(visible=False)
        if count <= ANNOTATED:
            for i, j in zip(*np.nonzero(np.isfinite(shares)), strict=True):
                axes.text(j + 1, i + 1, f"{shares[i, j]:.1f}", ha="center", va="center", fontsize=SMALL)
        for side in (axes.xaxis, axes.yaxis):
            side.set_major_locator(MaxNLocator(integer=True, nbins=10))
        axes.set_xlabel("Member (place in the ensemble)")
        axes.set_ylabel("Member (place in the ensemble)")
        figure.colorbar(mesh, ax=axes, label=f"Answers that differ (% of test {run.records})", shrink=0.85)
        return to_svg(figure, f"Share of test {run.records} on which each two of {count} members answer differently")


def cost(run: Run) -> str | None:
    """Seconds spent on each kind of work; None where the run recorded none."""
    found = {name: float(seconds) for name, seconds in run.section("work", "stages").items() if seconds > 0}
    if not found:
        return None
    order = [name for name in STAGES if name in found] + [name for name in found if name not in STAGES]
    seconds = [found[name] for name in order]
    with style("cost"):
        figure, (axes,) = new_figure(0.9 + 0.32 * len(order))
        bars = axes.barh(range(len(order)), seconds, color=OURS, height=0.6)
        axes.bar_label(bars, [f"{value:,.1f} s" for value in seconds], padding=4, fontsize=SMALL)
        axes.set_yticks(range(len(order)), [STAGES.get(name, name) for name in order])
        axes.invert_yaxis()
        axes.grid(axis="y", visible=False)
        axes.margins(x=0.16)
        axes.xaxis.set_major_locator(MaxNLocator(nbins=5))
        axes.set_xlabel("Wall time (s)")
        return to_svg(figure, "Wall time of each kind of work: " + ", ".join(STAGES.get(name, name) for name in order))
