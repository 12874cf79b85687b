"""Records of any task: named columns of numbers, of lists of numbers, or of words, in shards beside their manifest.

Image classification has a form of its own (``shard.py``, ``manifest.py``), which is older; everything else stands here.
A column of one shape lies in the file as it lies in memory, so that it is mapped and not copied.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self

import numpy as np
import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field, model_validator

from evoray.data.schema import Schema

Type = Literal["uint8", "uint16", "int32", "int64", "float32", "float64", "string"]
WIDEST = 2**26
"""Values of one record's column, at most."""
Side = Annotated[int, Field(ge=1, le=WIDEST)]


class Column(BaseModel):
    """One column of a manifest.

    shape: of each record's value; () is a number; None where records have lists of their own lengths, or words.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    type: Type
    shape: Annotated[tuple[Side, ...], Field(max_length=8)] | None = None

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.type == "string" and self.shape is not None:
            raise ValueError("words have no shape")
        if self.shape is not None and math.prod(self.shape) > WIDEST:
            raise ValueError(f"a record of {math.prod(self.shape):,} values; there may be {WIDEST:,}")
        return self

    @property
    def arrow(self) -> pa.DataType:
        """How it stands in a file."""
        if self.type == "string":
            return pa.string()
        if self.shape is None:
            return pa.list_(pa.type_for_alias(self.type))
        if self.shape == ():
            return pa.type_for_alias(self.type)
        return pa.binary(math.prod(self.shape) * np.dtype(self.type).itemsize)


@dataclass(frozen=True)
class Ragged:
    """Lists of numbers: record r is ``values[offsets[r]:offsets[r + 1]]``."""

    values: np.ndarray
    offsets: np.ndarray

    @classmethod
    def of(cls, lists: Sequence[Any], dtype: str) -> Ragged:
        parts = [np.asarray(one, dtype=dtype) for one in lists]
        offsets = np.cumsum([0, *map(len, parts)], dtype=np.int64)
        return cls(np.concatenate(parts) if parts else np.empty(0, dtype), offsets)

    @property
    def lengths(self) -> np.ndarray:
        """int64 [n]"""
        return np.diff(self.offsets)

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, row: int) -> np.ndarray:
        return self.values[self.offsets[row] : self.offsets[row + 1]]

    def __iter__(self) -> Iterator[np.ndarray]:
        return (self[row] for row in range(len(self)))


Values = np.ndarray | Ragged | list[str]


@dataclass(frozen=True)
class Records:
    """One shard. columns: arrays [n, ...] (may be read-only views of a mapped file), lists or words, by name."""

    index: int
    columns: Mapping[str, Values]
    sources: list[str]

    def __len__(self) -> int:
        return len(self.sources)

    def __getitem__(self, name: str) -> Any:
        return self.columns[name]

    def __contains__(self, name: str) -> bool:
        return name in self.columns

    @property
    def images(self) -> np.ndarray:
        """uint8 [n, C, H, W]; AttributeError where records have none."""
        if "image" not in self.columns:
            raise AttributeError("these records have no images")
        found: np.ndarray = self.columns["image"]  # type: ignore[assignment]
        return found


def schema_of(task: str, columns: Mapping[str, Column], target: str) -> Schema:
    """As a task asks for them: types as Arrow writes them, a width left out."""
    kinds = {name: str(column.arrow).split("[")[0] for name, column in columns.items()}
    return Schema(task=task, columns={**kinds, "source": "string"}, target=target)


def to_arrow(values: Values, column: Column) -> pa.Array:
    """The column of a file; the values are of its type and shape."""
    if isinstance(values, list):
        return pa.array(values, pa.string())
    if isinstance(values, Ragged):
        offsets = pa.array(values.offsets.astype(np.int32))
        return pa.ListArray.from_arrays(offsets, pa.array(values.values))
    if column.shape == ():
        return pa.array(values)
    plain = np.ascontiguousarray(values)
    return pa.FixedSizeBinaryArray.from_buffers(column.arrow, len(plain), [None, pa.py_buffer(plain)])


def from_arrow(chunks: pa.ChunkedArray, column: Column) -> Values:
    """What ``to_arrow`` was given; one chunk of numbers is a view."""
    if column.type == "string":
        words: list[str] = chunks.to_pylist()
        return words
    if column.shape is None:
        flat = chunks.combine_chunks()
        offsets = flat.offsets.to_numpy().astype(np.int64)
        return Ragged(flat.values.to_numpy(), offsets)
    if column.shape == ():
        plain: np.ndarray = chunks.to_numpy()
        return plain
    parts = [_view(chunk, column) for chunk in chunks.chunks]
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def _view(chunk: pa.FixedSizeBinaryArray, column: Column) -> np.ndarray:
    assert column.shape is not None
    width = chunk.type.byte_width
    data = np.frombuffer(chunk.buffers()[1], dtype=np.uint8)[chunk.offset * width : (chunk.offset + len(chunk)) * width]
    return data.view(column.type).reshape(len(chunk), *column.shape)
