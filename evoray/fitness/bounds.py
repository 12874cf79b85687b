"""Constraints that say nothing, or nothing that a network could keep: refused before a run."""

from evoray.config import Constraint
from evoray.tasks.base import Measure

FRACTION = Measure("", "fraction", True, "")
"""What is made of each class's counts."""


def fault(constraint: Constraint, measure: Measure = FRACTION) -> str | None:
    """What is wrong with a constraint on a figure, with the remedy; None where it may be meant."""
    metric, bound = constraint.metric, constraint.bound
    if constraint.at_least != (measure.sign > 0):
        better, sign = ("higher", ">=") if measure.sign > 0 else ("lower", "<=")
        right = f"{metric} {sign} {constraint.text.partition('=')[2].strip()}"
        return f'{better} is better, so it asks children to be worse. Write "{right}"'
    if not measure.is_fraction:
        never = not constraint.relative and bound < 0 and measure.unit.startswith("nats")
        return f"no network is below 0. Raise {bound:g}" if never else None
    if abs(bound) > 1:
        percent = f"; {abs(bound):g}% is {abs(bound) / 100:g}" if abs(bound) <= 100 else ""
        return f"{metric} is a fraction, from 0 to 1{percent}"
    return f"every network keeps it, {metric} is never below 0" if bound < 0 and not constraint.relative else None
