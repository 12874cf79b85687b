"""The figure of ``evoray bench scaling``: efficiency and the driver's cost against the number of workers."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.ticker import NullFormatter, ScalarFormatter

from evoray.errors import UsageError
from evoray.report.look.svg import GREY, OURS, PARENT, new_figure, style

SUFFIXES = (".svg", ".png", ".pdf")


def check_plot(path: Path) -> None:
    """Raises UsageError, before anything is measured, for a file that cannot be drawn to."""
    if path.suffix not in SUFFIXES:
        raise UsageError(f"--plot {path}: name a file that ends in {', '.join(SUFFIXES)}.")
    if not path.absolute().parent.is_dir():
        raise UsageError(f"--plot {path}: no such directory {path.absolute().parent}.")


def draw_scaling(results: Sequence[dict[str, Any]], path: Path) -> None:
    """Draws entries of ``scaling()``, which differ in ``workers``; bars span smallest to largest round.

    The line above the points is the most that is possible: whole units, and a driver that does nothing else.
    """
    ordered = sorted(results, key=lambda one: one["workers"])
    workers = [one["workers"] for one in ordered]
    with style("scaling"):
        figure, (efficiency, cost) = new_figure(4.8, 2, share_x=True)
        _points(efficiency, ordered, "efficiency", "Measured")
        efficiency.plot(workers, [possible(one) for one in ordered], color=GREY, linestyle=":", label="Possible")
        efficiency.set_ylabel("Efficiency (ideal time / time)")
        efficiency.set_ylim(0, 1.05)
        _points(cost, ordered, "driver_cpu_ms_per_unit", "Measured")
        cost.axhline(2, color=PARENT, linewidth=1.4, label="2 ms")
        cost.set_ylabel("Driver CPU (ms a unit)")
        cost.set_ylim(bottom=0)
        cost.set_xlabel("Workers (count)")
        cost.set_xscale("log", base=2)
        cost.set_xticks(workers)
        cost.xaxis.set_major_formatter(ScalarFormatter())
        cost.xaxis.set_minor_formatter(NullFormatter())
        for axes in (efficiency, cost):
            axes.legend(loc="lower left" if axes is efficiency else "upper left")
        figure.savefig(path, dpi=150, metadata={"Date": None} if path.suffix == ".svg" else None)


def _points(axes: Axes, results: Sequence[dict[str, Any]], key: str, label: str) -> None:
    workers = [one["workers"] for one in results]
    values = [one[key] for one in results]
    spread = [
        [value - one["spread"][key][0] for value, one in zip(values, results, strict=True)],
        [one["spread"][key][1] - value for value, one in zip(values, results, strict=True)],
    ]
    axes.errorbar(workers, values, yerr=spread, fmt="o-", color=OURS, markersize=4.5, capsize=3, label=label)


def possible(one: dict[str, Any]) -> float:
    """The last units keep only some workers busy, and units cannot come faster than the driver hands them out."""
    per_worker = one["units"] / one["workers"]
    whole = per_worker / -(-one["units"] // one["workers"])
    driver = 1e3 * one["unit_seconds"] / one["workers"] / one["driver_cpu_ms_per_unit"]
    return float(min(whole, driver))
