"""Outputs are a tensor or a named tuple of tensors: what has to be done with either."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_map


def tensors_of(values: Any) -> Iterator[Tensor]:
    """Each tensor, in order."""
    if isinstance(values, Tensor):
        yield values
    else:
        for one in values:
            yield from tensors_of(one)


def room_for(part: Any, rows: int) -> Any:
    """Memory for the outputs of ``rows`` records like those of a batch; floating outputs are kept in float32, but for
    parts of a named tuple that its class calls ``exact``."""
    if isinstance(part, Tensor):
        kind = torch.float32 if part.is_floating_point() else part.dtype
        return part.new_empty((rows, *part.shape[1:]), dtype=kind)
    exact = getattr(part, "exact", ())
    return type(part)(
        *(
            one.new_empty((rows, *one.shape[1:])) if name in exact else room_for(one, rows)
            for name, one in zip(part._fields, part, strict=True)
        )
    )


def put(whole: Any, part: Any, start: int, count: int) -> None:
    """The first ``count`` rows of a batch's outputs, to their place."""
    for into, one in zip(tensors_of(whole), tensors_of(part), strict=True):
        into[start : start + count] = one[:count]


class Collected:
    """The outputs of ``rows`` records, as their batches come."""

    def __init__(self, rows: int) -> None:
        self._rows, self.done = rows, 0
        self.outputs: Any = None

    def add(self, part: Any, count: int) -> None:
        """The next batch's, of ``count`` records."""
        if self.outputs is None:
            self.outputs = room_for(part, self._rows)
        put(self.outputs, part, self.done, count)
        self.done += count


def first_of(values: Any, count: int) -> Any:
    """The first rows of every tensor in a batch's inputs, in whatever holds them (dictionaries, lists, named tuples);
    what has no rows stays."""
    return tree_map(lambda one: one[:count] if isinstance(one, Tensor) and one.ndim else one, values)


def some_of(outputs: Any, rows: Tensor) -> Any:
    """The outputs of some records: rows int64 [k], on the outputs' device."""
    if isinstance(outputs, Tensor):
        return outputs[rows]
    return type(outputs)(*(some_of(one, rows) for one in outputs))
