"""From a matplotlib Figure to SVG that can stand inside a page; no global state is left changed."""

import io
import re
import textwrap
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from evoray.report.look.palette import LIGHT

NAMED = ("ink", "mean", "line", "parent", "best", "good", "bad")
INK, GREY, LINE, PARENT, OURS, GOOD, BAD = (LIGHT[name] for name in NAMED)
"""Dark on white and apart in grey print; shape or position always says the same as colour."""

WIDTH = 4.4
"""Inches. Narrow, so that letters stay legible when a telephone shows the figure at 360 pixels."""

SMALL = 9.5
"""Points of the smallest letters: 10 pixels on a telephone."""

LETTERS = 12.5
"""Of a label's, on an inch."""
BESIDE = 0.6
"""Inches of a figure that are not the axes'."""

_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "text.parse_math": False,
    "font.size": 10,
    "axes.titlesize": 10,
    "axes.edgecolor": GREY,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.formatter.useoffset": False,
    "grid.color": LINE,
    "grid.linewidth": 0.6,
    "xtick.color": GREY,
    "ytick.color": GREY,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "text.color": INK,
    "legend.frameon": False,
    "legend.fontsize": SMALL,
}


_TAKEN: ContextVar[Callable[[Figure], None] | None] = ContextVar("taken", default=None)
PNG_DPI = 150


@contextmanager
def as_figures(take: Callable[[Figure], None]) -> Iterator[None]:
    """Inside, ``to_svg`` gives every figure to ``take`` instead, and returns none of it."""
    before = _TAKEN.set(take)
    try:
        yield
    finally:
        _TAKEN.reset(before)


def as_pngs(take: Callable[[bytes], None]) -> AbstractContextManager[None]:
    """The same, each as a PNG."""
    return as_figures(lambda figure: take(_png(figure)))


def _png(figure: Figure) -> bytes:
    sink = io.BytesIO()
    figure.savefig(sink, format="png", dpi=PNG_DPI)
    return sink.getvalue()


@contextmanager
def style(name: str) -> Iterator[None]:
    """The figures' look; ``name`` keeps the ids of several figures on one page apart, and the same every time."""
    with mpl.rc_context({**_STYLE, "svg.hashsalt": f"evoray-{name}"}):
        yield


def new_figure(height: float, rows: int = 1, *, share_x: bool = False) -> tuple[Figure, list[Axes]]:
    """A figure of ``height`` inches with a column of axes."""
    figure = Figure(figsize=(WIDTH, height), layout=ConstrainedLayoutEngine(hspace=0.08))
    grid = figure.subplots(rows, 1, squeeze=False, sharex=share_x)
    return figure, list(grid[:, 0])


def to_svg(figure: Figure, description: str) -> str:
    """The figure as one ``<svg>`` element with real text, without prologue, metadata, names or links.

    Its colours are the page's variables (``_themed``); ``plain`` takes them out again.

    Args:
        description: what the figure shows, for those who hear the page.
    """
    if (take := _TAKEN.get()) is not None:
        take(figure)
        return ""
    _wrap_labels(figure)
    sink = io.StringIO()
    figure.savefig(sink, format="svg")
    drawn = sink.getvalue()
    drawn = drawn[drawn.index("<svg") :]
    drawn = re.sub(r"<metadata>.*?</metadata>", "", drawn, flags=re.DOTALL)
    drawn = re.sub(r'\sxmlns(:\w+)?="[^"]*"', "", drawn)  # HTML needs no namespaces on inline SVG
    drawn = re.sub(r'<g id="[^"]*"', "<g", drawn)  # figure_1, axes_1, …: not unique on a page
    head, rest = drawn.split(">", 1)
    head = re.sub(r'\s(width|height|version)="[^"]*"', "", head)
    label = description.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")
    return f'{head} role="img" aria-label="{label}">{_themed(rest.strip())}'


def _wrap_labels(figure: Figure) -> None:
    """Breaks the axes' labels where they are longer than the axes: a figure of a measure of one's own has any label."""
    width, height = figure.get_size_inches()
    for axes in figure.axes:
        grid = axes.get_gridspec()
        high = height / (grid.nrows if grid else 1) - BESIDE
        axes.set_xlabel(textwrap.fill(axes.get_xlabel(), max(int((width - BESIDE) * LETTERS), 8)))
        axes.set_ylabel(textwrap.fill(axes.get_ylabel(), max(int(high * LETTERS), 8)))


def _themed(drawn: str) -> str:
    """Each colour of the palette by its variable, so that a dark page shows it too."""
    names = {LIGHT[name]: name for name in (*NAMED, "paper")}

    def variable(found: re.Match[str]) -> str:
        colour = found[2]
        return f"{found[1]}: var(--{names[colour]}, {colour})" if colour in names else found[0]

    return re.sub(r"\b(fill|stroke): (#[0-9a-f]{6})\b", variable, drawn)


def plain(svg: str) -> str:
    """The same with the light colours themselves, for a file that stands alone."""
    return re.sub(r"var\(--\w+, (#[0-9a-f]{6})\)", r"\1", svg)
