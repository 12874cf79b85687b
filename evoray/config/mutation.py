"""``[mutation]``: what every kind of mutation can be told; keys of its own stand in each kind's file."""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Annotated, Any, Literal, Self

from pydantic import Field, field_validator

from evoray.config.section import Auto, Section
from evoray.errors import ConfigError
from evoray.runtime.auto import given
from evoray.runtime.limits import ITEMS

Patterns = Annotated[tuple[str, ...], Field(max_length=ITEMS)]


class MutationConfig(Section, ABC):
    """Which weights may change, how far, and how the children of a run share masks and noise."""

    kind: str = "partition"
    """A name of ``evoray.mutation.registry``, or a user's ``package.module:Class``."""
    sigma: float | Auto = 0.1
    """Strength, in units of each tensor's scale; ``auto``: found by the run."""
    scale: Literal["rms", "absolute"] = "rms"
    """A tensor's unit: the root mean square of its weights, or 1."""
    include: Patterns = ("*",)
    """Patterns over names of parameters: those that may change."""
    exclude: Patterns = ()
    """Patterns over names of parameters: those of ``include`` that stay."""
    antithetic: bool = False
    """Children 2i and 2i + 1 share all but the sign."""
    subspace: Literal["dynamic", "static"] = "dynamic"
    """Whether each child has a mask of its own, or the run has one."""

    @property
    def sigma_is_auto(self) -> bool:
        """Whether the run chooses it."""
        return given(self.sigma) is None

    @property
    def one_sigma(self) -> float | None:
        """It as one number; None where the run chooses it."""
        return given(self.sigma)

    @property
    def groups(self) -> int:
        """Groups of weights that children change in turn, each with a sigma of its own where the run chooses it."""
        return 1

    @property
    @abstractmethod
    def disjoint(self) -> float:
        """How many mutations with disjoint masks change every weight once (the paper's K): density is its inverse."""

    @property
    def checkpoints(self) -> tuple[str, ...]:
        """Files with the other networks that its mutations are made of; none for most kinds."""
        return ()

    def independent(self, mutations: Sequence[Any]) -> float:
        """How many of some recipes can be added up before a weight is changed by more than one, as expected."""
        return float(min(len(mutations), 1 if self.subspace == "static" else self.disjoint))

    def with_disjoint(self, disjoint: int) -> Self:
        """The same kind at another density; ConfigError for a kind whose density is not one number."""
        raise ConfigError(f'mutation.kind = "{self.kind}": its density cannot be swept. Sweep that of "partition".')

    def credit(self, gains: Sequence[tuple[Any, float]]) -> Any:
        """What its kind remembers of a generation, to draw later ones by; None where it learns nothing.

        gains: each child's recipe, and its fitness minus its base's.
        """
        return None

    @property
    def asks_for_work(self) -> bool:
        """Whether it has to be told how much of a forward pass lies behind each tensor (``with_work``)."""
        return False

    def with_work(self, space: Any, behind: Sequence[float]) -> Self:
        """The same, once that is known. behind: of each tensor of the space, the share of the pass's operations from
        its first use to the end, as a worker that keeps activations does them."""
        return self

    @property
    def summary(self) -> dict[str, Any]:
        """What stands in ``summary.json`` of it besides, under ``mutation``."""
        return {}

    def check_weights(self, n: int) -> None:
        """Raises ConfigError where n mutable weights are too few."""

    @field_validator("sigma", mode="before")
    @classmethod
    def _positive(cls, sigma: Any) -> Any:
        if given(sigma) is not None and not is_sigma(sigma):
            raise ValueError('a number greater than 0, or "auto"')
        return sigma


def is_sigma(value: Any) -> bool:
    """Whether it is a finite number above zero."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and math.isfinite(value) and value > 0
