"""From a matplotlib Figure to SVG that can stand inside a page; no global state is left changed."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

INK, GREY, LINE = "#1f2933", "#616e7c", "#d5dbe1"
PARENT, OURS, GOOD, BAD = "#b4451f", "#1f5fa8", "#1a7a4c", "#b3261e"
"""Dark on white and apart in grey print; shape or position always says the same as colour."""

WIDTH = 4.9
"""Inches. Narrow, so that letters stay legible when a telephone shows the figure at 360 pixels."""

_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "text.parse_math": False,
    "font.size": 9.5,
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
    "legend.fontsize": 9,
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

    Args:
        description: what the figure shows, for those who hear the page.
    """
    if (take := _TAKEN.get()) is not None:
        take(figure)
        return ""
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
    return f'{head} role="img" aria-label="{label}">{rest.strip()}'
