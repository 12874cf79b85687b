"""Recipes: a mutation of about a hundred bytes, and the lineage that leads from a parent to a child."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated, Any, Literal, NamedTuple, Self

import numpy as np
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    ValidationError,
    model_validator,
)

from evoray.errors import LineageError
from evoray.mutation.masks import mask_count, mask_indices
from evoray.mutation.streams import NOISE, words16
from evoray.mutation.table import FLOAT32_MAX, normal

SMALLEST = float(np.finfo(np.float32).smallest_subnormal)
U64 = Annotated[int, Field(ge=0, lt=2**64, strict=True)]


def _whole(value: Any) -> Any:
    # to Python True and 1.0 are 1; in JSON they would not come out as they went in
    if type(value) is not int:
        raise ValueError("sign is the whole number 1 or -1")
    return value


def _positive(sigma: float) -> float:
    if not SMALLEST <= sigma <= FLOAT32_MAX:
        raise ValueError("sigma is a positive, finite float32, such as 0.1")
    return sigma


def _key(item: Any) -> str:
    return f"{item['loc'][0]}: " if item["loc"] else ""


class Mutation(BaseModel):
    """One sparse mutation (format 1, kind ``partition``): part ``part`` of ``parts`` disjoint ones.

    sigma is in units of each tensor's scale; sign makes the antithetic twin. A value that format 1 does not
    know raises LineageError.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["partition"] = "partition"
    mask_seed: U64
    parts: Annotated[int, Field(ge=1, le=2**32, strict=True)]
    part: Annotated[int, Field(ge=0, strict=True)]
    noise_seed: U64
    sigma: Annotated[float, Field(strict=True), AfterValidator(_positive)]
    sign: Annotated[Literal[1, -1], BeforeValidator(_whole)] = 1

    @model_validator(mode="wrap")
    @classmethod
    def _refuse(cls, value: Any, check: ModelWrapValidatorHandler[Self]) -> Self:
        try:
            mutation = check(value)
        except ValidationError as error:
            wrong = (
                f"{_key(item)}{item['msg'].removeprefix('Value error, ')}, found {item['input']!r}"
                for item in error.errors()
            )
            raise LineageError(f"not a mutation of format 1: {'; '.join(wrong)}.") from None
        if mutation.part >= mutation.parts:
            raise LineageError(
                f"not a mutation of format 1: part = {mutation.part} is not below parts = {mutation.parts}."
            )
        return mutation

    def indices(self, n: int, first: int = 0, count: int | None = None) -> np.ndarray:
        """int64 [m], sorted: the coordinates of a flat vector of n that this mutation changes.

        With ``first`` or ``count``: those of ``count`` strata from ``first`` on, the same as in the whole.
        """
        return mask_indices(n, self.mask_seed, self.parts, self.part, first, count)

    def noise(self, n: int, first: int = 0, count: int | None = None) -> np.ndarray:
        """float32 [m]: one standard normal value for each of ``indices`` of the same strata."""
        left = self.count(n) - first
        return normal(words16(self.noise_seed, NOISE, left if count is None else min(count, left), start=first))

    def count(self, n: int) -> int:
        """m, without drawing the mask."""
        return mask_count(n, self.mask_seed, self.parts, self.part)

    def __reduce__(self) -> tuple[Any, ...]:
        # a recipe travels once for each unit it is part of: 60 bytes in place of the field names
        return _mutation, (
            self.mask_seed,
            self.parts,
            self.part,
            self.noise_seed,
            self.sigma,
            self.sign,
        )


def _mutation(mask_seed: int, parts: int, part: int, noise_seed: int, sigma: float, sign: int) -> Mutation:
    return Mutation.model_construct(
        kind="partition",
        mask_seed=mask_seed,
        parts=parts,
        part=part,
        noise_seed=noise_seed,
        sigma=sigma,
        sign=sign,
    )


class Entry(NamedTuple):
    """One step of a lineage: a mutation, added with a weight."""

    weight: float
    mutation: Mutation


class Lineage(NamedTuple):
    """An ordered list of weighted mutations on a parent; hashable, cheap to extend and to compare."""

    entries: tuple[Entry, ...] = ()

    def child(self, mutation: Mutation) -> Lineage:
        """This lineage plus one entry of weight 1."""
        return Lineage((*self.entries, Entry(1.0, mutation)))

    def then(self, entries: Iterable[Entry]) -> Lineage:
        return Lineage((*self.entries, *entries))

    def is_prefix_of(self, other: Lineage) -> bool:
        return self.entries == other.entries[: len(self.entries)]

    def tail(self, base: Lineage) -> tuple[Entry, ...]:
        """The entries on top of ``base``; LineageError when this lineage does not start with it."""
        if not base.is_prefix_of(self):
            raise LineageError(
                f"lineage: its {len(self.entries)} entries do not start with the base's {len(base.entries)}."
            )
        return self.entries[len(base.entries) :]

    def to_json(self) -> list[dict[str, Any]]:
        return [{"weight": entry.weight, "mutation": entry.mutation.model_dump()} for entry in self.entries]

    @classmethod
    def from_json(cls, value: Any) -> Lineage:
        """Raises LineageError naming the entry that is malformed."""
        if not isinstance(value, list):
            raise LineageError(f"lineage: entries are a list, found {type(value).__name__}.")
        return cls(tuple(_entry(position, item) for position, item in enumerate(value)))


def _entry(position: int, item: Any) -> Entry:
    where = f"lineage: entry {position}"
    if not isinstance(item, dict) or item.keys() != {"weight", "mutation"}:
        raise LineageError(f"{where} is not a weight and a mutation: {item!r}.")
    weight = item["weight"]
    if type(weight) not in (int, float) or not abs(weight) <= FLOAT32_MAX:
        raise LineageError(f"{where}: weight = {weight!r} is not a finite float32.")
    try:
        return Entry(float(weight), Mutation.model_validate(item["mutation"]))
    except LineageError as error:
        raise LineageError(f"{where}: {error}") from None


def soup(lineages: Sequence[Lineage], base: Lineage, step: float = 1.0) -> Lineage:
    """The uniform average of m lineages that start with ``base``: their tails, entries weighted by step / m.

    step = 1 is the mean of the networks' weights; a longer step goes further along the same direction, and
    step = m adds the mutations whole. Raises LineageError when there are none, or one starts otherwise.
    """
    if not lineages:
        raise LineageError("soup: no lineages. Give at least one.")
    share = step / len(lineages)
    tails = (Entry(entry.weight * share, entry.mutation) for one in lineages for entry in one.tail(base))
    return base.then(tails)
