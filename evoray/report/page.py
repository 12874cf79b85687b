"""One HTML page that stands alone: styles and figures inside, nothing loaded from anywhere."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jinja2
import pyarrow as pa
from markupsafe import Markup

from evoray.data.schema import counted
from evoray.report import grids, text
from evoray.report.blocks import blocks
from evoray.report.finished_run import Run
from evoray.report.guards import guards
from evoray.report.look import palette
from evoray.report.measures import ShownMeasure

if TYPE_CHECKING:
    import matplotlib.figure

_DIFFERENCES = """Dot: difference on test; bar: its 95% interval. The line at zero is the parent. A hollow dot shows
no difference: the bar crosses the line, or chance may explain it once all that was compared is counted."""
_SIZE = """Members join best first. The interval at full size is the paired difference laid on the parent's line:
clear of the line is clear of zero. All sizes share the same images, so neighbours move together."""
_POPULATION = """Every child on the images that chose among them. How many stand on the parent's better side says
whether sigma and density fit; where none does, sigma is likely too large."""
_WINDOW = """Children of growing sigma on select images, one panel a density. Left of the fall they still work; the best
sigma lies before it."""
_GENERATIONS = """Each generation starts from the best network so far. Best children flatter themselves on select; the
median shows whether the base improves."""
_SELECT_TEST = """Children drawn by chance, so choosing flatters none of them. The steeper the cloud, the more a place
on select is worth; a shapeless one says that select is too small, or the fitness is noise."""
_DIVERSITY = """The stronger a square, the more often two members differ. Members that never do add nothing to each
other."""
_COST = """Where the time went. All but the networks on test and the sample belongs to the search."""
_RELIABILITY = """On the diagonal, 80% confidence is right 80% of the time; below it the network is too sure.
Larger marks stand for more images."""


@dataclass(frozen=True)
class Figure:
    """An SVG element with its title and how to read it."""

    title: str
    svg: Markup
    caption: str
    name: str = ""


@dataclass(frozen=True)
class Card:
    """A key number; ``effect`` is the comparison's, or empty."""

    title: str
    value: str
    detail: str
    effect: str = ""


def render(
    summary: Mapping[str, Any], config: Mapping[str, Any], population: pa.Table, window: Mapping[str, Any] | None = None
) -> str:
    """The page of a finished run.

    Args:
        summary, config: what ``summary.json`` and ``config.json`` hold.
        population: what ``population.parquet`` holds.

    Raises:
        UsageError: one of them lacks something; names it.
    """
    run = Run.of(summary, population)
    return (
        environment()
        .get_template("page.html.j2")
        .render(
            run_id=str(run.get("run_id")),
            seed=run.get("seed"),
            verdict=run.get("verdict"),
            parent=parent_name(config),
            data=_section(config, "data").get("path", text.NOTHING),
            records=run.records,
            images={split: text.count(run.number("splits", split)) for split in ("select", "test")},
            fitness=run.main.described,
            notes=run.notes,
            figures_known=set(run.measures),
            ensemble=run.has_ensemble,
            cards=cards(run),
            figures=_figures(run, window),
            networks=grids.networks(run),
            comparisons=grids.comparisons(run),
            guards=guards(run),
            children=grids.children(run),
            side=[grid for grid in (grids.evidence(run), blocks(run), grids.mutation(run), grids.work(run)) if grid],
            settings=grids.settings(config),
        )
    )


def environment(*folders: Path) -> jinja2.Environment:
    """Templates of these folders, and those here, which they may extend; ``palette()`` is the page's colours."""
    here = Path(__file__).parent
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader([*folders, here, here / "look"]),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals["palette"] = lambda part=None: Markup(palette.of_part(part) if part else palette.of_page())
    return made


def pictures(
    summary: Mapping[str, Any],
    population: pa.Table,
    window: Mapping[str, Any] | None = None,
    drawn: Callable[[], None] = lambda: None,
) -> list[tuple[str, bytes]]:
    """The page's figures as (title, PNG). drawn: called after each."""
    from evoray.report.look.svg import as_pngs  # matplotlib

    pngs: list[bytes] = []

    def take(png: bytes) -> None:
        pngs.append(png)
        drawn()

    with as_pngs(take):
        titles = [one.title for one in _figures(Run.of(summary, population), window)]
    return list(zip(titles, pngs, strict=True))


def drawn(
    summary: Mapping[str, Any], population: pa.Table, window: Mapping[str, Any] | None = None
) -> dict[str, matplotlib.figure.Figure]:
    """The page's figures as matplotlib's, by a short name (``differences``, ``population``, …)."""
    from evoray.report.look.svg import as_figures

    taken: list[matplotlib.figure.Figure] = []
    with as_figures(taken.append):
        names = [one.name for one in _figures(Run.of(summary, population), window)]
    return dict(zip(names, taken, strict=True))


def _section(config: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    section = config.get(name, {})
    return section if isinstance(section, Mapping) else {}


def parent_name(config: Mapping[str, Any]) -> str:
    parent = _section(config, "parent")
    weights = parent.get("weights")
    return str(parent.get("name", text.NOTHING)) + (f" ({weights})" if weights else "")


def cards(run: Run) -> list[Card]:
    """The key numbers, the run's fitness first."""
    main, handed = run.main, "ensemble" if run.has_ensemble else "soup"
    found = [_change(run, handed, one) for one in (main, run.beside) if one]
    found.append(_change(run, "best_child", main))
    parent = run.parent_on_select(main)
    values = [value for row in run.children if (value := run.child(row, "select", main)) is not None]
    fitter = 0 if parent is None else sum(main.sign * (value - parent) > 0 for value in values)
    found.append(
        Card(
            f"Children with {'higher' if main.higher_is_better else 'lower'} {main.said} than the parent, on select",
            f"{text.count(fitter)} of {text.count(len(run.children))}",
            "says how well sigma and density fit",
        )
    )
    return found


def _change(run: Run, network: str, measure: ShownMeasure) -> Card:
    """From the parent's value to the network's, with the paired interval."""
    title = f"{run.label(network)}: {measure.said} on test ({measure.direction})"
    value = f"{measure.show(run.test('parent', measure.key))} → {measure.show(run.test(network, measure.key))}"
    one = run.comparison(network, measure.key)
    if one is None:
        return Card(title, value, "not compared")
    difference, interval, _ = grids.difference(one, measure)
    unit = " points" if measure.is_fraction else ""
    return Card(title, value, f"{difference}{unit} (95%: {interval}), {grids.EFFECTS[one.effect]}", one.effect)


def _figures(run: Run, window: Mapping[str, Any] | None) -> list[Figure]:
    # matplotlib takes a second to load: only where a page is drawn
    from evoray.report import cost, figures, generations
    from evoray.report.window import window_figure

    mutation = "How strong may a mutation be?"
    made = (  # in the order in which they are drawn
        ("differences", "How far from the parent?", figures.differences(run), _DIFFERENCES),
        ("ensemble_size", "Do more members help?", figures.ensemble_size(run), _SIZE),
        ("population", "Were the children any good?", figures.population(run), _POPULATION),
        ("window", mutation, window_figure(window, run.measures) if window else None, _WINDOW),
        ("generations", "Did generations help?", generations.generations(run), _GENERATIONS),
        ("select_test", "Is select worth anything on test?", generations.select_test(run), _SELECT_TEST),
        ("reliability", "Can its confidence be trusted?", figures.reliability(run), _RELIABILITY),
        ("diversity", "Do the members differ?", cost.diversity(run), _DIVERSITY),
        ("cost", "Where did the time go?", cost.cost(run), _COST),
    )
    return [
        Figure(title, Markup(svg), counted(caption, run.records), name)
        for name, title, svg, caption in made
        if svg is not None
    ]
