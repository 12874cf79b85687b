"""``[fitness]``: what children are ranked by, and what they must keep."""

import math
import re
from typing import Annotated, NamedTuple, Self

from pydantic import Field, field_validator, model_validator

from evoray.config.section import Section

_CONSTRAINT = re.compile(r"\s*([\w-]+)\s*(>=|<=)\s*(?:(parent)\s*(?:([+-])\s*(\S+))?|([+-]?[\d.]\S*))\s*")


class Constraint(NamedTuple):
    """``metric >= bound`` (or <=); ``relative`` bounds are added to the parent's own value on the same images."""

    text: str
    metric: str
    at_least: bool
    relative: bool
    bound: float


def parse_constraint(text: str) -> Constraint:
    """``top1 >= parent - 0.005``, ``class-accuracy >= parent - 0.02``, ``nll <= 0.5``; ValueError says why not."""
    found = _CONSTRAINT.fullmatch(text)
    if found is None:
        raise ValueError(f'"{text}": write it as "top1 >= parent - 0.005" or "nll <= 0.5"')
    metric, sign, parent, plus, offset, absolute = found.groups()
    try:
        bound = float(absolute if parent is None else offset or 0)
    except ValueError:
        raise ValueError(f'"{text}": {absolute or offset} is no number') from None
    if not math.isfinite(bound):
        raise ValueError(f'"{text}": the bound must be finite')
    return Constraint(text.strip(), metric, sign == ">=", parent is not None, -bound if plus == "-" else bound)


class FitnessConfig(Section):
    """What children are ranked by; higher is better inside (``nll``, ``brier``, ``cost``, ``entropy`` count negative).

    Which names there are is the task's to say (``evoray.fitness.built_in``), and is checked with the other inputs.
    """

    name: str = "nll"
    """A figure of the task, such as ``nll`` or ``top1``, or ``package.module:function`` of (outputs, targets)."""
    costs: str | tuple[tuple[float, ...], ...] | None = None
    """For ``cost``: a file (.npy, or text with commas) or rows; a row a true class, a column an answer."""
    reference: str | None = None
    """For ``agreement``: shards of clean records, up to 64 of which the parent answers before the run."""
    constraints: Annotated[tuple[str, ...], Field(max_length=1000)] = ()
    """What every child must keep, such as ``top1 >= parent - 0.005``."""

    @field_validator("constraints")
    @classmethod
    def _readable(cls, constraints: tuple[str, ...]) -> tuple[str, ...]:
        for text in constraints:
            parse_constraint(text)
        return constraints

    @model_validator(mode="after")
    def _costs_belong(self) -> Self:
        for name, key in (("cost", "costs"), ("agreement", "reference")):
            if (self.name == name) != (getattr(self, key) is not None):
                raise ValueError(f'name = "{name}" and {key} go together: give both or neither')
        return self
