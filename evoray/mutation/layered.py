"""The kind ``layered`` (format 2): the weights in the order in which the network uses them, cut into equal blocks.

A child of one block needs nothing of the network before the first use of the block's first tensor: whoever keeps the
base's activations there runs the rest alone. Inside a block mask and noise are those of ``partition``: disjoint parts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from statistics import geometric_mean
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, NamedTuple, Self

import numpy as np
from pydantic import Field, field_validator, model_validator

from evoray.config.mutation import MutationConfig, is_sigma
from evoray.config.section import Auto
from evoray.errors import ConfigError, LineageError
from evoray.mutation.allocation import CHEAPEST, allocate, credit_of, shares
from evoray.mutation.integers import round_steps_
from evoray.mutation.masks import strata_of
from evoray.mutation.partition import U64, Partition, Sigma, Sign
from evoray.mutation.recipe import Recipe
from evoray.runtime.auto import AUTO, given
from evoray.runtime.limits import ITEMS
from evoray.runtime.seeds import Stream, derive_seed, generator

if TYPE_CHECKING:
    from evoray.mutation.space import Space


class LayeredConfig(MutationConfig):
    """``blocks`` by depth, ``parts`` inside each; a mutation changes one weight in blocks x parts."""

    kind: Literal["layered"] = "layered"
    blocks: Annotated[int, Field(ge=1, le=ITEMS)] = 10
    """Of equal size, in the order in which a forward pass first uses the weights."""
    parts: Annotated[int, Field(ge=1, le=2**31)] = 1
    """With one part a child changes a whole block: with ten blocks the density is that of ``partition``."""
    sigma: float | tuple[float, ...] | Auto = 0.1  # type: ignore[assignment]  # wider than of other kinds
    """One for all blocks, or one for each; "auto" finds one for each where its share of the run is enough for that."""
    allocation: Literal["equal", "adaptive"] = "adaptive"
    """How many children each block gets: as many as the others, or by what its children gained per work. A static
    subspace is one block: there it is equal where nobody says anything."""
    prices: Annotated[tuple[float, ...], Field(max_length=ITEMS)] = ()
    """What a child of each block costs, as a share of a forward pass; an adaptive run counts it where left out."""

    @model_validator(mode="before")
    @classmethod
    def _equal_where_static(cls, values: Any) -> Any:
        if isinstance(values, dict) and values.get("subspace") == "static":
            return {"allocation": "equal", **values}
        return values

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.allocation == "adaptive" and self.subspace == "static":
            raise ValueError(
                'allocation = "adaptive": a static subspace (cma-es has one) is one block; leave one of the two out'
            )
        if isinstance(self.sigma, tuple) and len(self.sigma) != self.blocks:
            raise ValueError(f"sigma has {len(self.sigma)} of them for {self.blocks} blocks; give one, or one each")
        if len(self.prices) not in (0, self.blocks):
            raise ValueError(f"prices has {len(self.prices)} of them for {self.blocks} blocks; give one each, or none")
        return self

    @field_validator("sigma", mode="before")
    @classmethod
    def _positive(cls, sigma: Any) -> Any:
        several = sigma if isinstance(sigma, list | tuple) else [sigma]
        if given(sigma) is not None and not all(map(is_sigma, several)):
            raise ValueError('a number greater than 0, one for each block, or "auto"')
        return sigma

    @field_validator("prices", mode="before")
    @classmethod
    def _shares(cls, prices: Any) -> Any:
        if not (isinstance(prices, list | tuple) and all(is_sigma(one) and one <= 1 for one in prices)):
            raise ValueError("a share of a forward pass for each block, above 0 and at most 1")
        return prices

    @property
    def one_sigma(self) -> float | None:
        """Of several their geometric mean."""
        return float(f"{geometric_mean(self.sigma):.3g}") if isinstance(self.sigma, tuple) else given(self.sigma)

    @property
    def groups(self) -> int:
        return 1 if self.subspace == "static" else self.blocks

    @property
    def disjoint(self) -> int:
        return self.blocks * self.parts

    def independent(self, mutations: Sequence[Layered]) -> float:
        if self.allocation == "equal" or not mutations:
            return super().independent(mutations)
        crowds = Counter(one.block for one in mutations).values()
        overlap = sum(crowd * max(1.0, crowd / self.parts) for crowd in crowds) / len(mutations)
        return len(mutations) / overlap

    def with_disjoint(self, disjoint: int) -> Self:
        """The same blocks with so many parts inside each of them, and one sigma for all."""
        return self.model_copy(update={"parts": disjoint, "sigma": self.one_sigma or AUTO})

    def credit(self, gains: Sequence[tuple[Any, float]]) -> Any:
        if self.allocation == "equal":
            return None
        return credit_of(self.blocks, [(recipe.block, gain) for recipe, gain in gains])

    @property
    def asks_for_work(self) -> bool:
        return self.allocation == "adaptive" and not self.prices

    def with_work(self, space: Space, behind: Sequence[float]) -> Self:
        """With the price of each block: what a child of its first tensor costs, at least CHEAPEST."""
        edges = [block * space.n // self.blocks for block in range(self.blocks + 1)]
        first = [space.runs(*bounds).tensors[:1].tolist() for bounds in pairwise(edges)]
        prices = tuple(max([CHEAPEST, *(behind[number] for number in tensors)]) for tensors in first)
        return self.model_copy(update={"prices": prices})

    @property
    def summary(self) -> dict[str, Any]:
        return {"prices": list(self.prices)} if self.prices else {}

    def check_weights(self, n: int) -> None:
        if self.disjoint > n:
            raise ConfigError(
                f"mutation.blocks = {self.blocks} times mutation.parts = {self.parts} is more than the {n} weights "
                "that may be mutated: some children would equal their parent. Lower them, or include more tensors."
            )


class _Pieces(NamedTuple):
    """What of a block lies in a range of flat coordinates, a piece a tensor, in the order of first use; int64 each.

    tensors: their numbers. flat: first coordinate. start, stop: positions inside the block.
    """

    tensors: np.ndarray
    flat: np.ndarray
    start: np.ndarray
    stop: np.ndarray


class Layered(Recipe):
    """One mutation of block ``block`` of ``blocks``: part ``part`` of ``parts`` disjoint ones inside it (format 2).

    sigma is in units of each tensor's scale; sign makes the antithetic twin. A value that format 2 does not
    know raises LineageError.
    """

    Section = LayeredConfig
    FORMAT: ClassVar[int] = 2
    columns: ClassVar = {
        "mask_seed": "uint64",
        "blocks": "int64",
        "block": "int64",
        "parts": "int64",
        "part": "int64",
        "noise_seed": "uint64",
        "sigma": "float64",
        "sign": "int8",
    }

    kind: Literal["layered"] = "layered"
    blocks: Annotated[int, Field(ge=1, lt=2**63, strict=True)]
    block: Annotated[int, Field(ge=0, strict=True)]
    parts: Annotated[int, Field(ge=1, le=2**32, strict=True)]
    part: Annotated[int, Field(ge=0, strict=True)]
    mask_seed: U64
    noise_seed: U64
    sigma: Sigma
    sign: Sign = 1

    @model_validator(mode="after")
    def _one_of_those(self) -> Self:
        for one, count in (("block", self.blocks), ("part", self.parts)):
            if getattr(self, one) >= count:
                raise LineageError(
                    f"not a mutation of format 2: {one} = {getattr(self, one)} is not below {one}s = {count}."
                )
        return self

    @classmethod
    def draw(cls, config: LayeredConfig, sigma: float, seed: int, generation: int, child: int) -> Self:
        """Child ``child`` of a generation: children in turn go to one block after the other, then to the next part;
        blocks x parts of them share a mask seed, are disjoint and together are every coordinate.

        With ``antithetic``, children 2i and 2i + 1 share mask and noise and differ in sign. With a static subspace
        every child of the run mutates part 0 of block 0 of one mask.
        """
        index = child // 2 if config.antithetic else child
        turn, block = divmod(index, config.blocks)
        return cls._of_block(config, sigma, seed, generation, child, 0 if config.subspace == "static" else block, turn)

    @classmethod
    def draw_all(
        cls, config: LayeredConfig, sigma: float, seed: int, generation: int, count: int, credits: Sequence[Any] = ()
    ) -> list[Self]:
        """As ``draw``, until something was gained or not; then blocks get children as ``allocation.py`` says."""
        if not len(credits):
            return super().draw_all(config, sigma, seed, generation, count)
        each = 2 if config.antithetic else 1
        offset = float(generator(seed, Stream.ALLOCATION, generation).random())
        blocks = allocate(shares(credits, config.prices or (1.0,) * config.blocks), -(-count // each), offset)
        turns: Counter[int] = Counter()
        found = []
        for child in range(count):
            block = blocks[child // each]
            found.append(cls._of_block(config, sigma, seed, generation, child, block, turns[block]))
            turns[block] += child % each == each - 1
        return found

    @classmethod
    def _of_block(
        cls, config: LayeredConfig, sigma: float, seed: int, generation: int, child: int, block: int, turn: int
    ) -> Self:
        """A child of a block; turn: how many the block has had in this generation, opposite pairs counting once."""
        index = child // 2 if config.antithetic else child
        group, part = divmod(turn, config.parts)
        address = (generation, group)
        if config.subspace == "static":
            address, part = (0, 0), 0
        return cls(
            blocks=config.blocks,
            block=block,
            parts=config.parts,
            part=part,
            mask_seed=derive_seed(seed, Stream.MASKS, *address),
            noise_seed=derive_seed(seed, Stream.NOISE, generation, index),
            sigma=config.sigma[block] if isinstance(config.sigma, tuple) else sigma,
            sign=-1 if config.antithetic and child % 2 else 1,
        )

    def bounds(self, n: int) -> tuple[int, int]:
        """The block is the coordinates first … last - 1 of a deep vector of n."""
        return self.block * n // self.blocks, (self.block + 1) * n // self.blocks

    def tensors(self, space: Space) -> Sequence[int]:
        """Those of its block, in the order of first use."""
        found: list[int] = space.runs(*self.bounds(space.n)).tensors.tolist()
        return found

    def spans(self, space: Space) -> list[tuple[int, int]]:
        """Those of its block."""
        runs = space.runs(*self.bounds(space.n))
        return sorted(zip(runs.flat.tolist(), (runs.flat + runs.sizes).tolist(), strict=True))

    def at_most(self, space: Space) -> int:
        first, last = self.bounds(space.n)
        return strata_of(last - first, self.parts)

    def width(self, space: Space, weights: int) -> int:
        return weights * self.parts

    def positions(self, m: int, first: int = 0, count: int | None = None) -> np.ndarray:
        """int64, sorted: what it changes of a block of m coordinates, counted from the block's start.

        With ``first`` or ``count``: in ``count`` strata from ``first`` on, the same as in the whole.
        """
        return self.inside.indices(m, first, count)

    def noise(self, m: int, first: int = 0, count: int | None = None) -> np.ndarray:
        """float32: one standard normal value for each of ``positions`` of the same strata."""
        return self.inside.noise(m, first, count)

    def delta(self, space: Space, start: int, stop: int) -> tuple[np.ndarray, np.ndarray]:
        pieces = self._pieces(space, start, stop)
        if not len(pieces.flat):
            return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.float32)
        first, last = self.bounds(space.n)
        drawn = [self._stretch(last - first, *bounds, space.has_integers) for bounds in _joined(pieces)]
        positions, values, *words = (
            parts[0] if len(parts) == 1 else np.concatenate(parts) for parts in zip(*drawn, strict=True)
        )
        edges = np.searchsorted(positions, np.stack([pieces.start, pieces.stop]))
        counts = edges[1] - edges[0]
        amplitude = np.float32(self.sign) * (np.float32(self.sigma) * space.scales)
        values *= np.repeat(amplitude[pieces.tensors], counts)
        for one in words:
            round_steps_(values, np.repeat(space.whole[pieces.tensors], counts), one)
        positions += np.repeat(pieces.flat - pieces.start, counts)  # coordinates of the flat vector from here on
        order = np.argsort(pieces.flat)
        if np.array_equal(order, np.arange(len(order))):
            return positions, values
        slices = [slice(*edges[:, piece]) for piece in order]
        return np.concatenate([positions[one] for one in slices]), np.concatenate([values[one] for one in slices])

    def _stretch(self, m: int, start: int, stop: int, rounds: bool) -> tuple[np.ndarray, ...]:
        """(positions, noise) of what it changes between two positions of its block; where it ``rounds``, words too."""
        first = start // self.parts
        count = strata_of(stop, self.parts) - first
        positions, values = self.positions(m, first, count), self.noise(m, first, count)
        inside = slice(*np.searchsorted(positions, (start, stop)))
        words = (self.inside.rounding(m, first, count)[inside],) if rounds else ()
        return positions[inside], values[inside], *words

    def _pieces(self, space: Space, start: int, stop: int) -> _Pieces:
        first, last = self.bounds(space.n)
        runs = space.runs(first, last)
        low, high = np.maximum(runs.flat, start), np.minimum(runs.flat + runs.sizes, stop)
        inside = np.flatnonzero(low < high)
        begin = (runs.deep - first + low - runs.flat)[inside]
        low, high = low[inside], high[inside]
        return _Pieces(runs.tensors[inside], low, begin, begin + high - low)

    @property
    def inside(self) -> Partition:
        """The same mutation of a space that is the block alone."""
        return Partition.model_construct(
            **{name: getattr(self, name) for name in ("mask_seed", "parts", "part", "noise_seed", "sigma", "sign")}
        )

    def __reduce__(self) -> tuple[Any, ...]:
        # as of ``partition``: a recipe travels once for each unit it is part of
        return _made, tuple(self.__dict__[name] for name in _FIELDS)


_FIELDS = ("blocks", "block", "parts", "part", "mask_seed", "noise_seed", "sigma", "sign")


def _made(*values: Any) -> Layered:
    return Layered.model_construct(kind="layered", **dict(zip(_FIELDS, values, strict=True)))


def _joined(pieces: _Pieces) -> list[tuple[int, int]]:
    """Stretches of positions in which no piece is missing: each is drawn at once."""
    begins = np.flatnonzero(np.concatenate([[True], pieces.start[1:] != pieces.stop[:-1]]))
    ends = np.concatenate([begins[1:], [len(pieces.start)]]) - 1
    return list(zip(pieces.start[begins].tolist(), pieces.stop[ends].tolist(), strict=True))
