"""Recipes: a mutation of about a hundred bytes, and the lineage that leads from a parent to a child.

A new kind of mutation is a class derived from ``Recipe`` in a file of its own, with its section of the configuration
(``Section``) beside it, and a line in the registry; a user's own needs no line, ``mutation.kind =
"package.module:Class"`` names it.
"""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, ModelWrapValidatorHandler, ValidationError, model_validator

from evoray.config.mutation import MutationConfig
from evoray.config.variants import Variant, table_at
from evoray.errors import ConfigError, LineageError
from evoray.mutation.table import FLOAT32_MAX
from evoray.runtime.importing import folder_of
from evoray.runtime.reading import quoted, shown

if TYPE_CHECKING:
    from evoray.mutation.space import Space

DEFAULT = "partition"
"""The kind of a mutation that does not say."""


class Recipe(BaseModel, Variant, ABC):
    """One mutation of some kind: all that it takes to draw it again, on any machine, bit for bit.

    A value that its kind does not know raises LineageError.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    Section: ClassVar[type[MutationConfig]]
    FORMAT: ClassVar[int] = 1
    """Of the lineages it stands in; 2: it asks in which order the parent uses its tensors (``Space.depth``); 3: for
    other checkpoints (``Space.others``)."""
    columns: ClassVar[Mapping[str, str]] = {}
    """Its fields that are columns of ``population.parquet``: name -> Arrow type, such as ``uint64``."""

    kind: str
    """The kind's name in the registry, or its own ``package.module:Class``: by it a lineage file is read again."""

    @classmethod
    @abstractmethod
    def draw(cls, config: Any, sigma: float, seed: int, generation: int, child: int) -> Self:
        """The recipe of one child of a run: a function of its arguments and of nothing else.

        Args:
            config: an instance of ``Section``; with ``antithetic``, children 2i and 2i + 1 differ in sign alone, and
                with a static ``subspace`` all change the same weights.
            seed: the run's; draw under it with ``derive_seed`` and the streams of ``evoray.runtime.seeds``.
        """

    @classmethod
    def draw_all(
        cls, config: Any, sigma: float, seed: int, generation: int, count: int, credits: Sequence[Any] = ()
    ) -> list[Self]:
        """The recipes of a generation's children, in order; each by itself unless its kind learns.

        credits: what ``config.credit`` made of the generations before, the latest last.
        """
        return [cls.draw(config, sigma, seed, generation, child) for child in range(count)]

    @abstractmethod
    def at_most(self, space: Space) -> int:
        """How many weights it changes at most; nothing is drawn for the answer."""

    @abstractmethod
    def delta(self, space: Space, start: int, stop: int) -> tuple[np.ndarray, np.ndarray]:
        """(indices int64 [m] ascending, each once; float32 [m]): what it adds to the coordinates start … stop - 1.

        However the coordinates are cut into ranges, the ranges together are the whole, bit for bit.
        """

    def between(self, space: Space, start: int, stop: int) -> tuple[np.ndarray, np.ndarray]:
        """``delta`` with indices that count from ``start``; they are only read."""
        indices, values = self.delta(space, start, stop)
        return indices - start, values

    def tensors(self, space: Space) -> Sequence[int]:
        """Numbers (positions in ``space.tensors``) of the tensors that it may change; nothing is drawn."""
        return range(len(space.tensors))

    def spans(self, space: Space) -> list[tuple[int, int]]:
        """(start, stop) of the coordinates that it may change, ascending, none of them twice; nothing is drawn."""
        numbers = sorted(self.tensors(space))
        if len(numbers) == len(space.tensors):
            return [(0, space.n)]
        return [(int(space.offsets[number]), int(space.offsets[number + 1])) for number in numbers]

    def width(self, space: Space, weights: int) -> int:
        """How many neighbouring coordinates to draw at once, so that about ``weights`` of them are changed."""
        return max(1, space.n * weights // max(1, self.at_most(space)))

    def to_json(self) -> dict[str, Any]:
        """As it stands in a lineage file; ``model_validate`` reads it again."""
        return self.model_dump()

    def row(self) -> dict[str, Any]:
        """Its values of ``columns``."""
        return self.model_dump(include=set(self.columns))

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Self:
        """The recipe of a row of ``population.parquet``."""
        return cls(**{name: row[name] for name in cls.columns})

    @model_validator(mode="wrap")
    @classmethod
    def _refuse(cls, value: Any, check: ModelWrapValidatorHandler[Self]) -> Self:
        try:
            return check(value)
        except ValidationError as error:
            wrong = (
                f"{_key(item)}{item['msg'].removeprefix('Value error, ')}, found {quoted(item['input'], 60)}"
                for item in error.errors()[:3]
            )
            raise LineageError(f"not a mutation of format {cls.FORMAT}: {'; '.join(wrong)}.") from None


def _key(item: Any) -> str:
    return f"{item['loc'][0]}: " if item["loc"] else ""


class Entry(NamedTuple):
    """One step of a lineage: a mutation, added with a weight."""

    weight: float
    mutation: Recipe


class Lineage(NamedTuple):
    """An ordered list of weighted mutations on a parent; hashable, cheap to extend and to compare."""

    entries: tuple[Entry, ...] = ()

    def child(self, mutation: Recipe) -> Lineage:
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
        return [{"weight": entry.weight, "mutation": entry.mutation.to_json()} for entry in self.entries]

    @classmethod
    def from_json(cls, value: Any) -> Lineage:
        """Raises LineageError naming the entry that is malformed, or whose kind is a user's that is not importable."""
        if not isinstance(value, list):
            raise LineageError(f"lineage: entries are a list, found {type(value).__name__}.")
        return cls(tuple(_entry(position, item) for position, item in enumerate(value)))


def _entry(position: int, item: Any) -> Entry:
    where = f"lineage: entry {position}"
    if not isinstance(item, dict) or item.keys() != {"weight", "mutation"}:
        raise LineageError(f"{where} is not a weight and a mutation: {quoted(item)}.")
    weight = item["weight"]
    if type(weight) not in (int, float) or not abs(weight) <= FLOAT32_MAX:
        raise LineageError(f"{where}: weight = {quoted(weight, 60)} is not a finite float32.")
    try:
        return Entry(float(weight), _kind_of(item["mutation"]).model_validate(item["mutation"]))
    except (LineageError, ConfigError, ValueError) as error:
        raise LineageError(f"{where}: {error}") from None


def _kind_of(mutation: Any) -> type[Recipe]:
    """A file never decides what is imported: a user's own kind has to be imported by the program that reads it, or by a
    run of its own."""
    kind = mutation.get("kind", DEFAULT) if isinstance(mutation, dict) else DEFAULT
    module, colon, _ = str(kind).partition(":")
    folder = None
    if colon and module not in sys.modules and (folder := folder_of(module)) is None:
        raise LineageError(
            f"its kind is {quoted(kind)}, of somebody's own module. Where you trust it, import {shown(module)} first."
        )
    found: type[Recipe] = table_at("evoray.mutation.registry:KINDS").find(kind, folder)
    return found


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


def shared_base(lineages: Sequence[Lineage]) -> Lineage:
    """The longest beginning that all lineages have in common, short of any whole one."""
    columns = zip(*(one.entries[:-1] for one in lineages), strict=False)
    length = 0
    for column in columns:
        if any(entry != column[0] for entry in column):
            break
        length += 1
    return Lineage(lineages[0].entries[:length]) if lineages else Lineage()


def first_used(space: Space, tails: Iterable[Sequence[Entry]]) -> list[int] | None:
    """Which tensor of the space a network uses first of those that each tail changes, as a place in ``space.depth``.

    Children of one place need the same part of the network. None where the space knows no depth.
    """
    if space.depth is None:
        return None
    place = {tensor: at for at, tensor in enumerate(space.depth)}
    return [
        min((place[number] for entry in tail for number in entry.mutation.tensors(space)), default=0) for tail in tails
    ]
