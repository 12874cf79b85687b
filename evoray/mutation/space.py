"""The parameter space: which tensors may be mutated, laid end to end, and the scale of each.

Laid end to end in byte order of names they are the flat vector. A space of format 2 also says in which order the parent
first uses them: laid end to end in that order they are the deep vector, the same n values. A space of format 3 names
other checkpoints, by digest, whose differences from the parent are held beside it. A space of format 4 has tensors of
whole numbers, and may have either besides.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping, Sequence
from functools import cached_property
from itertools import pairwise
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor

from evoray.errors import LineageError, ModelError
from evoray.mutation.integers import LIMITS, in_type, spread
from evoray.mutation.table import FLOAT32_MAX
from evoray.runtime.reading import kind_of, said

DTYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}
"""Types whose values float32 holds exactly: what is not mutated comes back bit for bit."""
_TYPES = {**DTYPES, **{name: getattr(torch, name) for name in LIMITS}}
LARGEST = 2**40
"""Weights of a space that is read, fewer than; memory is taken only where the parent has them."""
_BLOCK = 1 << 20
_SHA256 = re.compile("[0-9a-f]{64}")


class TensorSpec(NamedTuple):
    """One tensor: full dotted name, shape, the parent's own type, and its float32 scale."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    scale: float

    @property
    def size(self) -> int:
        return math.prod(self.shape)


class Runs(NamedTuple):
    """A stretch of the deep vector in the flat one, a run a tensor, in the order of first use; int64 [runs] each.

    tensors: numbers in ``Space.tensors``. flat, deep: where each run begins in either vector. sizes: coordinates.
    """

    tensors: np.ndarray
    flat: np.ndarray
    deep: np.ndarray
    sizes: np.ndarray


class Space:
    """Tensors in byte order of their names, flattened row-major and laid end to end: n coordinates.

    Args:
        depth: the numbers of the tensors (positions in ``tensors``) in the order in which the parent first uses them,
            those that it never uses last; None for a space of format 1. ValueError for anything but a permutation.
        others: digests (``tensors_sha256``) of the space's tensors in each of the other checkpoints of format 3.
    """

    def __init__(
        self, tensors: Sequence[TensorSpec], depth: Sequence[int] | None = None, others: Sequence[str] = ()
    ) -> None:
        self.others = tuple(others)
        self._towards: np.ndarray | None = None
        self.depth = None if depth is None else _permutation(depth, len(tensors))
        self.tensors = tuple(sorted(tensors, key=lambda spec: spec.name.encode()))
        sizes = np.array([spec.size for spec in self.tensors], dtype=np.int64)
        self.offsets = np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(sizes)])
        self.scales = np.array([spec.scale for spec in self.tensors], dtype=np.float32)
        self.n = int(self.offsets[-1])
        self.whole = np.array([spec.dtype in LIMITS for spec in self.tensors], dtype=bool)
        self.has_integers = bool(self.whole.any())

    @classmethod
    def from_state(cls, state: Mapping[str, Tensor], names: Sequence[str], scale: Literal["rms", "absolute"]) -> Space:
        """The space of the named tensors; ``rms`` scales are computed here, once, in float64.

        Those of whole numbers are about their mean. Raises ModelError for a tensor whose type is not known, or whose
        scale is not finite.
        """
        specs = []
        for name in sorted(set(names), key=str.encode):
            spec = TensorSpec(name, tuple(state[name].shape), _dtype(state[name]), 1.0)
            if spec.dtype not in _TYPES:
                raise ModelError(
                    f"{name} is {spec.dtype}: only {', '.join(DTYPES)} can be mutated exactly. Have the function that "
                    "returns the parent cast it (return net.float()), or leave it as it is: "
                    f"mutation.exclude = [{name!r}]."
                )
            specs.append(spec._replace(scale=_rms(name, state[name])) if scale == "rms" else spec)
        return cls(specs)

    @property
    def format(self) -> int:
        """Of ``space.json`` and of the lineages in this space."""
        if self.has_integers:
            return 4
        if self.others:
            return 3
        return 1 if self.depth is None else 2

    def with_depth(self, depth: Sequence[int]) -> Space:
        """The same space with the order of first use: format 2."""
        return Space(self.tensors, depth)

    def with_towards(self, others: Sequence[str], differences: np.ndarray) -> Space:
        """The same space with other checkpoints: their digests, and float32 [K, n], each one's values minus the
        parent's, which is neither copied nor part of a pickle of the space."""
        space = Space(self.tensors, self.depth, others)
        space._towards = differences
        return space

    @property
    def towards(self) -> np.ndarray:
        """float32 [K, n]: as ``with_towards`` was given it; LineageError where the checkpoints are not at hand."""
        if self._towards is None:
            which = f"the checkpoints with the digests {', '.join(self.others)}" if self.others else "its checkpoints"
            raise LineageError(
                f'a mutation of kind "towards" needs {which}. Name the files that mutation.towards of the run '
                "named, with --towards."
            )
        return self._towards

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_towards": None}

    @cached_property
    def sha256(self) -> str:
        """Digest of ``to_json`` with sorted keys and no white space."""
        text = json.dumps(self.to_json(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    def to_json(self) -> dict[str, Any]:
        """``space.json``; a scale is the shortest decimal that gives the same float32 back."""
        tensors = [
            {"name": t.name, "shape": list(t.shape), "dtype": t.dtype, "scale": _shortest(t.scale)}
            for t in self.tensors
        ]
        depth = {} if self.depth is None else {"depth": list(self.depth)}
        others = {"towards": list(self.others)} if self.others else {}
        return {"format": self.format, "tensors": tensors, **depth, **others}

    @classmethod
    def from_json(cls, value: Any) -> Space:
        """Raises LineageError when it is not a space of format 1, 2, 3 or 4."""
        try:
            if not isinstance(value, Mapping):
                raise ValueError(f"{kind_of(value)} where an object is expected")
            _check_keys(value)
            specs = [_spec(tensor) for tensor in value["tensors"]]
            if (value["format"] == 4) != any(spec.dtype in LIMITS for spec in specs):
                raise ValueError("tensors of whole numbers are there in format 4, and only there")
            if sum(spec.size for spec in specs) >= LARGEST:
                raise ValueError(f"it has {sum(spec.size for spec in specs):,} weights, more than {LARGEST:,}")
            names = [spec.name.encode() for spec in specs]
            if any(one >= other for one, other in pairwise(names)):
                raise ValueError("its tensors are not in byte order of names")
            depth = _permutation(value["depth"], len(specs)) if "depth" in value else None
            return cls(specs, depth, _digests(value["towards"]) if "towards" in value else ())
        except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
            raise LineageError(
                f"the space is not one of format 1, 2, 3 or 4 ({type(error).__name__}: {said(error)})."
            ) from None

    def check(self, state: Mapping[str, Tensor]) -> None:
        """Raises LineageError naming a tensor that ``state`` lacks, or has in another shape or type."""
        for spec in self.tensors:
            tensor = state.get(spec.name)
            if tensor is None:
                raise LineageError(f"the parent lacks the space's {spec.name}. Use the parent and space of one run.")
            if (tuple(tensor.shape), _dtype(tensor)) != (spec.shape, spec.dtype):
                raise LineageError(
                    f"{spec.name} is {spec.dtype} {list(spec.shape)} in the space, {_dtype(tensor)} "
                    f"{list(tensor.shape)} in the parent. Use the parent and space of one run."
                )

    def flatten(self, state: Mapping[str, Tensor]) -> np.ndarray:
        """float32 [n]: the flat parent, upcast where it is stored in another type. Raises as ``check``."""
        self.check(state)
        flat = np.empty(self.n, dtype=np.float32)
        for spec, values in zip(self.tensors, self._slices(flat), strict=True):
            torch.from_numpy(values).copy_(state[spec.name].detach().reshape(-1))
        return flat

    def unflatten(self, flat: np.ndarray) -> dict[str, Tensor]:
        """New tensors from a flat float32 vector, cast to the parent's own types (round to nearest even; whole numbers
        as ``integers.in_type``)."""
        return {
            spec.name: in_type(torch.from_numpy(values), _TYPES[spec.dtype], start).reshape(spec.shape)
            for spec, values, start in zip(self.tensors, self._slices(flat), self.offsets.tolist(), strict=False)
        }

    def per_coordinate(self, values: np.ndarray, indices: np.ndarray) -> np.ndarray:
        """[m]: one value a tensor, repeated for the (sorted) coordinates that fall into it."""
        edges = np.searchsorted(indices, self.offsets)
        return np.repeat(values, np.diff(edges))

    def runs(self, first: int, last: int) -> Runs:
        """Where the coordinates first … last - 1 of the deep vector lie in the flat one, in O(tensors).

        Raises LineageError for a space of format 1.
        """
        tensors, offsets = self._deep
        low, high = np.maximum(offsets[:-1], first), np.minimum(offsets[1:], last)
        inside = np.flatnonzero(low < high)
        deep, numbers = low[inside], tensors[inside]
        return Runs(numbers, self.offsets[numbers] + (deep - offsets[inside]), deep, high[inside] - deep)

    @cached_property
    def _deep(self) -> tuple[np.ndarray, np.ndarray]:
        """int64: the tensors' numbers in the order of first use, and where each begins in the deep vector (and n)."""
        if self.depth is None:
            raise LineageError(
                "the space is one of format 1, which does not say in which order tensors are used; a mutation of kind "
                '"layered" needs one of format 2. Use the space.json that the run wrote.'
            )
        tensors = np.array(self.depth, dtype=np.int64)
        return tensors, np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(np.diff(self.offsets)[tensors])])

    def _slices(self, flat: np.ndarray) -> list[np.ndarray]:
        return [flat[start:stop] for start, stop in pairwise(self.offsets.tolist())]


def _check_keys(value: Mapping[str, Any]) -> None:
    found = value["format"]
    if found not in (1, 2, 3, 4):
        raise ValueError(f"format is {found!r}, this program knows 1 to 4")
    for key, own in (("depth", 2), ("towards", 3)):
        if found != 4 and (found == own) != (key in value):
            raise ValueError(f"{key} is there in format {own}, and only there")


def _permutation(depth: Any, tensors: int) -> tuple[int, ...]:
    whole = isinstance(depth, list | tuple) and all(type(number) is int for number in depth)
    if not whole or sorted(depth) != list(range(tensors)):
        raise ValueError(f"depth is not each of the numbers 0 to {tensors - 1} of its tensors once")
    return tuple(depth)


def _digests(towards: Any) -> tuple[str, ...]:
    known = isinstance(towards, list) and all(type(one) is str and _SHA256.fullmatch(one) for one in towards)
    if not known or not 0 < len(towards) == len(set(towards)):
        raise ValueError("towards is not a list of different SHA-256 digests")
    return tuple(towards)


def _shortest(scale: float) -> float:
    return float(str(np.float32(scale)))


def _dtype(tensor: Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")


def _spec(value: Any) -> TensorSpec:
    if value.keys() != {"name", "shape", "dtype", "scale"}:
        raise ValueError(f"a tensor has name, shape, dtype and scale, found {sorted(value)}")
    name, shape, dtype, scale = value["name"], value["shape"], value["dtype"], value["scale"]
    if type(name) is not str or type(dtype) is not str or dtype not in _TYPES:
        raise ValueError(f"{name!r} is of type {dtype!r}, this program knows {', '.join(_TYPES)}")
    if type(shape) is not list or len(shape) > 64 or any(type(size) is not int or size < 0 for size in shape):
        raise ValueError(f"{name} has the shape {shape!r}")
    if type(scale) not in (int, float) or not 0 <= scale <= FLOAT32_MAX:
        raise ValueError(f"{name} has the scale {scale!r}, which is not a finite float32 of at least 0")
    if _shortest(scale) != scale:
        raise ValueError(f"{name} has the scale {scale!r}, which a float32 holds as {_shortest(scale)!r}")
    return TensorSpec(name, tuple(shape), dtype, float(scale))


def _rms(name: str, tensor: Tensor) -> float:
    if not tensor.is_floating_point():
        return float(np.float32(spread(tensor)))
    # by NumPy and in blocks: torch's sums change their last bits with the number of threads
    values = tensor.detach().cpu().reshape(-1)
    blocks = (values[first : first + _BLOCK] for first in range(0, values.numel(), _BLOCK))
    sums = [float(np.square(block.double().numpy()).sum()) for block in blocks]
    scale = math.sqrt(math.fsum(sums) / max(1, values.numel()))
    if not math.isfinite(scale):
        raise ModelError(f"{name} has values that are not finite. Mend the parent, or exclude that tensor.")
    return float(np.float32(scale))
