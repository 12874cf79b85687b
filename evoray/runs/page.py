"""The page of several runs: it stands alone, as a run's own report does, and has that page's look."""

from dataclasses import replace
from pathlib import Path

from markupsafe import Markup

from evoray.report import text
from evoray.report.figures import forest
from evoray.report.finished_run import NETWORKS
from evoray.report.look.svg import new_figure, style, to_svg
from evoray.report.measures import ShownMeasure
from evoray.report.page import environment
from evoray.runs.compare import Compared
from evoray.runs.pairing import Named
from evoray.statistics import Comparison

_CAPTION = """Dot: difference on test, network by network; bar: its 95% interval. The line at zero is {first}. A hollow
dot shows no difference: the bar crosses the line, or chance may explain it once all that was compared is counted."""
ROW = 0.34
"""Inches a difference takes."""


def render(found: Compared) -> str:
    """The HTML page."""
    grids = found.grids
    paired = 1 if any(one.comparisons for one in found.pairs) else 0
    return (
        environment(Path(__file__).parent)
        .get_template("compare.html.j2")
        .render(
            names=[one.name for one in found.runs],
            runs=[{"name": one.name, "verdict": one.run.verdict, "facts": _facts(one)} for one in found.runs],
            remarks=found.remarks,
            first=grids[:paired],
            figure=Markup(differences(found) or ""),
            caption=_CAPTION.format(first=found.first),
            rest=grids[paired:],
        )
    )


def _facts(one: Named) -> str:
    finished, config = one.finished, one.run.config
    data = (config.get("data") or {}).get("path", text.NOTHING)
    tested = text.count(finished.number("splits", "test"))
    return f"{one.task['name']} on {data}, {tested} test {finished.records}. Run {finished.get('run_id')}."


def differences(found: Compared) -> str | None:
    """A forest plot of every paired difference, as SVG; None where there is none."""
    rows: dict[ShownMeasure, list[Comparison]] = {}
    for pair in found.pairs:
        for one in pair.comparisons:
            measure = pair.one.finished.measures[one.metric]
            name = f"{NETWORKS[one.name]}\n{_short(pair.one.name)}"
            if one.effect != "undefined":
                rows.setdefault(measure, []).append(replace(one.turned(measure.higher_is_better), name=name))
    if not rows:
        return None
    with style("compare"):
        figure, panels = new_figure(sum(0.9 + ROW * len(one) for one in rows.values()), len(rows))
        for axes, (measure, each) in zip(panels, rows.items(), strict=True):
            forest(axes, measure, each, f"that of {_short(found.first)}")
        return to_svg(figure, f"Differences from {found.first} on test with 95% intervals, for each run and network")


def _short(name: str) -> str:
    return name if len(name) <= 24 else f"{name[:10]}…{name[-13:]}"
