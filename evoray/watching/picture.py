"""A small picture of the rounds so far, without matplotlib, which takes a second of a core."""

import html
import math
from collections.abc import Mapping, Sequence
from typing import Any

from evoray.report.measures import ShownMeasure

WIDTH, HEIGHT = 340, 220
LEFT, RIGHT, TOP, BOTTOM = 58, 10, 34, 34
POINTS = 400
"""Rounds that are drawn at most: of more, evenly many are left out."""


def rounds_picture(rounds: Sequence[Mapping[str, Any]], parent: float | None, measure: ShownMeasure) -> str | None:
    """An ``<svg>``: each round's best and mean fitness, and the parent's line; None where no round has any.

    rounds: lines of ``metrics.jsonl``. Colours are CSS variables (``--best``, ``--mean``, ``--parent``).
    """
    best = [_figure(one, "best", measure.key) for one in rounds]
    mean = [_figure(one, "mean", measure.key) for one in rounds]
    step = math.ceil(len(rounds) / POINTS) or 1
    shown = sorted({*range(0, len(rounds), step), len(rounds) - 1} - {-1})
    known = [value for at in shown for value in (best[at], mean[at]) if value is not None]
    if not known:
        return None
    known += [] if parent is None else [parent]
    frame = _Frame(len(rounds), min(known), max(known))
    parts = [*frame.axes(measure), *([] if parent is None else [frame.level(parent)])]
    parts += frame.curve([(at, mean[at]) for at in shown], "--mean", "4 3")
    parts += frame.curve([(at, best[at]) for at in shown], "--best", "")
    label = html.escape(f"{measure.axis} on select, of each of {len(rounds)} rounds: best and mean, with the parent's")
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{label}">'
        f"{''.join(parts)}{_legend(parent is not None)}</svg>"
    )


def _figure(one: Mapping[str, Any], of: str, name: str) -> float | None:
    figures = one.get("figures")
    found = figures.get(of) if isinstance(figures, Mapping) else None
    value = found.get(name) if isinstance(found, Mapping) else None
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None


class _Frame:
    """From round and value to places in the picture."""

    def __init__(self, rounds: int, low: float, high: float) -> None:
        room = (high - low) * 0.08 or abs(high) * 0.01 or 1.0
        self._rounds, self._low, self._high = max(1, rounds - 1), low - room, high + room

    def x(self, at: int) -> float:
        return round(LEFT + (WIDTH - LEFT - RIGHT) * (at / self._rounds), 1)

    def y(self, value: float) -> float:
        return round(TOP + (HEIGHT - TOP - BOTTOM) * (self._high - value) / (self._high - self._low), 1)

    def axes(self, measure: ShownMeasure) -> list[str]:
        found = []
        for part in (0.1, 0.5, 0.9):
            value = self._low + part * (self._high - self._low)
            at = self.y(value)
            found += [
                f'<path d="M{LEFT} {at}H{WIDTH - RIGHT}" style="stroke: var(--line)"/>',
                f'<text x="{LEFT - 6}" y="{at + 4}" text-anchor="end">{html.escape(measure.show(value))}</text>',
            ]
        middle = (LEFT + WIDTH - RIGHT) / 2
        return [*found, f'<text x="{middle}" y="{HEIGHT - 8}" text-anchor="middle">Round (count)</text>']

    def level(self, value: float) -> str:
        return f'<path d="M{LEFT} {self.y(value)}H{WIDTH - RIGHT}" style="stroke: var(--parent); stroke-width: 1.5"/>'

    def curve(self, points: Sequence[tuple[int, float | None]], colour: str, dashes: str) -> list[str]:
        places = [(self.x(at), self.y(value)) for at, value in points if value is not None]
        line = " ".join(f"{x},{y}" for x, y in places)
        style = f"fill: none; stroke: var({colour}); stroke-width: 2; stroke-dasharray: {dashes or 'none'}"
        dots = places if len(places) <= 40 else places[-1:]
        return [
            f'<polyline points="{line}" style="{style}"/>',
            *(f'<circle cx="{x}" cy="{y}" r="3" style="fill: var({colour})"/>' for x, y in dots),
        ]


def _legend(with_parent: bool) -> str:
    names = [("Best", "--best"), ("Mean", "--mean"), *([("Parent", "--parent")] if with_parent else [])]
    return "".join(
        f'<path d="M{LEFT + 92 * at} 16h20" style="stroke: var({colour}); stroke-width: 3"/>'
        f'<text x="{LEFT + 92 * at + 26}" y="20">{name}</text>'
        for at, (name, colour) in enumerate(names)
    )
