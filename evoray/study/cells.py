"""Cells of the study's tables: figures over seeds as text, with the numbers apart for those who calculate."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from evoray.report import text
from evoray.report.measures import ShownMeasure
from evoray.statistics import OverSeeds, over_seeds

Show = Callable[[float], str]
ENDS = {"interval": ("low", "high"), "sd": ("SD",)}
"""What the numbers behind the first are called."""


class Figures(str):
    """``0.50 [0.40, 0.60]`` or ``0.50 ± 0.05``: one cell to read, whose numbers a program takes one by one.

    parts: the numbers as text, the mean first. kind: a key of ``ENDS``.
    """

    parts: tuple[str, ...]
    kind: str

    def __new__(cls, kind: str, *parts: str) -> Figures:
        mean, *others = parts
        cell = super().__new__(cls, f"{mean} ± {others[0]}" if kind == "sd" else f"{mean} [{', '.join(others)}]")
        cell.parts, cell.kind = parts, kind
        return cell


def mean(values: Sequence[float], show: Show) -> str:
    return show(over_seeds(values).mean)


def with_interval(values: Sequence[float], show: Show) -> str:
    """Mean and Student's 95% interval; of one seed the mean alone."""
    return interval(over_seeds(values), show)


def interval(found: OverSeeds, show: Show) -> str:
    if found.n < 2:
        return show(found.mean)
    return Figures("interval", *map(show, (found.mean, found.low, found.high)))


def with_sd(values: Sequence[float], show: Show, spread: Show | None = None) -> str:
    """Mean ± standard deviation; of one seed the mean alone. spread: shows the deviation where ``show`` has signs."""
    found = over_seeds(values)
    return show(found.mean) if found.n < 2 else Figures("sd", show(found.mean), (spread or show)(found.sd))


def signed(measure: ShownMeasure) -> Show:
    """Differences: fractions in percentage points."""
    return points if measure.is_fraction else lambda value: text.signed(value, 4)


def unsigned(measure: ShownMeasure) -> Show:
    """The same of a spread."""
    return (lambda value: f"{100 * value:.2f}") if measure.is_fraction else text.nats


def hundredths(value: float) -> str:
    return text.signed(100 * value, 1) + "%"


def points(value: float) -> str:
    return text.signed(100 * value, 2)
