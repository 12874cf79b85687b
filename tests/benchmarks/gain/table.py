"""Tables and curves of ``run.py``'s results: ``python tests/benchmarks/gain/table.py RESULTS.json OUT.md OUT.svg``."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from arms import ARMS
from matplotlib.figure import Figure

BASELINE = ARMS[0]
SHARE = 1 / 3
"""Of partition's time, in which an arm should have gained as much."""


class Curve:
    """Of one run. seconds, evaluations, select, test: arrays, a value a point; NLL in nats."""

    def __init__(self, run: dict[str, Any], parent: float) -> None:
        points = [[0.0, 0, np.nan, parent], *run["curve"]]
        self.seconds, self.evaluations, self.select, self.test = np.array(points, dtype=np.float64).T
        self.setting = run["setting"]

    def at(self, seconds: float) -> float:
        """NLL on test of the base at that time: the last that was reached before it."""
        before = np.flatnonzero(self.seconds <= seconds)
        return float(self.test[before[-1]]) if len(before) else float("nan")

    def reached(self, test: float) -> float:
        """Seconds after which NLL on test is that low and stays so; inf where it never does."""
        above = np.flatnonzero(self.test > test)
        last = 0 if not len(above) else above[-1] + 1
        return float(self.seconds[last]) if last < len(self.seconds) else float("inf")


def cases(results: dict[str, Any]) -> Iterator[tuple[str, dict[str, Curve], float]]:
    """(name and seed, curve by arm, seconds that all arms had) of every problem that all arms were run on."""
    for name in dict.fromkeys(key.rpartition("/")[0] for key in results["runs"]):
        runs = {arm: results["runs"].get(f"{name}/{arm}") for arm in ARMS}
        if all(runs.values()):
            curves = {arm: Curve(run, results["parents"][name]) for arm, run in runs.items() if run}
            yield name, curves, min(curve.seconds[-1] for curve in curves.values())


def rows(results: dict[str, Any]) -> Iterator[list[str]]:
    for name, curves, seconds in cases(results):
        goal = curves[BASELINE].at(seconds)
        parent = results["parents"][name]
        cells = [name, f"{seconds:.0f}", f"{parent:.4f}"]
        cells += [f"{curves[arm].at(seconds) - parent:+.4f}" for arm in ARMS]
        for arm in ARMS[1:]:
            share = curves[arm].reached(goal) / seconds
            cells.append(f"{share:.2f}" if share <= 1 else "–")
        yield cells


def main(source: Path, table: Path, drawing: Path) -> None:
    results = json.loads(source.read_text())
    head = ["network/seed", "seconds", "parent", *ARMS, *(f"{arm}: share of the time" for arm in ARMS[1:])]
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    lines += [f"| {' | '.join(cells)} |" for cells in rows(results)]
    for arm in ARMS[1:]:
        shares = [curves[arm].reached(curves[BASELINE].at(s)) / s for _, curves, s in cases(results)]
        quick = sum(share <= SHARE for share in shares)
        lines.append(f"\n{arm}: partition's final gain within a third of its time in {quick} of {len(shares)}.")
    best = [min(c[arm].reached(c[BASELINE].at(s)) / s for arm in ARMS[1:]) for _, c, s in cases(results)]
    lines.append(f"\nThe best of the three: in {sum(share <= SHARE for share in best)} of {len(best)}.")
    settings = {
        (name.rpartition("/")[0], arm): curves[arm].setting for name, curves, _ in cases(results) for arm in ARMS
    }
    lines += ["\n| network | arm | setting chosen on select, another seed |", "|---|---|---|"]
    lines += [f"| {name} | {arm} | {setting} |" for (name, arm), setting in settings.items()]
    table.write_text("\n".join(lines) + "\n")
    print("\n".join(lines))
    draw(results, drawing)


def draw(results: dict[str, Any], drawing: Path) -> None:
    """A panel a problem: NLL on test against seconds."""
    found = list(cases(results))
    columns = 3
    figure = Figure(figsize=(11, 2.6 * -(-len(found) // columns)), layout="constrained")
    panels = figure.subplots(-(-len(found) // columns), columns, squeeze=False).ravel()
    for panel, (name, curves, seconds) in zip(panels, found, strict=False):
        for arm, curve in curves.items():
            panel.step(curve.seconds, curve.test, where="post", label=arm)
        panel.set_title(name, fontsize=9)
        panel.set_xlim(0, seconds)
        panel.axhline(results["parents"][name], color="grey", linewidth=0.5)
    for panel in panels[len(found) :]:
        panel.set_visible(False)
    panels[0].legend(fontsize=7)
    figure.supxlabel("seconds")
    figure.supylabel("NLL on test, nats per image")
    figure.savefig(drawing)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:4]))
