"""Batches of what networks take: images, or tensors as they are; and the part of a network's answer that is wanted.

torch is imported where it is used: ingest asks a task for its schema alone.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from evoray.data.normalise import normalise
from evoray.errors import DataError, ModelError
from evoray.tasks.base import Batch, Network, Preparation

if TYPE_CHECKING:
    from torch import Tensor

IMAGE, INPUT = "image", "input"
"""Columns that a network may be shown: uint8 [n, C, H, W], normalised as the parent says; or numbers [n, ...], of which
whole ones stay whole."""
PARTS = ("logits", "output", "out", "prediction", "predictions", "pred", "preds")
"""Names under which networks that return a dictionary, or an object of several tensors, keep what they found."""


def input_column(records: Any) -> str:
    """Which of the two a shard has. Raises DataError where it has neither."""
    for name in (IMAGE, INPUT):
        if hasattr(records, "images") if name == IMAGE else name in records:
            return name
    raise DataError("the records have neither an image nor an input. Ingest the data for this task.")


def input_batch(records: Any, rows: np.ndarray, how: Preparation) -> Batch:
    """Some rows of a shard, [b, ...], filled up with zeros to ``how.width``."""
    import torch

    name = input_column(records)
    values = torch.from_numpy(filled(records.images if name == IMAGE else records[INPUT], rows, how.width))
    values = on_device(values, how)
    if name == INPUT:
        return Batch(values.to(how.dtype) if values.is_floating_point() else values, len(rows))
    batch = normalise(values, how.mean, how.std, how.dtype)
    if how.channels_last:
        batch = batch.contiguous(memory_format=torch.channels_last)
    return Batch(batch, len(rows))


def on_device(values: Tensor, how: Preparation) -> Tensor:
    """In its own type, through pinned memory where another stream copies."""
    return (values.pin_memory() if how.pinned else values).to(how.device, non_blocking=True)


def input_bytes(records: Any, count: int, how: Preparation) -> int:
    """What batches of so many records hold on the device, bytes."""
    values = records.images if input_column(records) == IMAGE else records[INPUT]
    return count * int(math.prod(values.shape[1:])) * how.dtype.itemsize


def filled(values: np.ndarray, rows: np.ndarray, width: int | None) -> np.ndarray:
    """[b, ...]: some rows, and zeros behind them where batches have one shape."""
    if width is None or len(rows) == width:
        return np.ascontiguousarray(values[rows])
    found = np.zeros((width, *values.shape[1:]), dtype=values.dtype)
    found[: len(rows)] = values[rows]
    return found


def tensor_of(answer: Any, parts: tuple[str, ...] = PARTS) -> Tensor:
    """The tensor that is meant of a network's answer: itself, a dictionary's or an object's known part, or the first.

    Raises:
        ModelError: there is none; says what there is.
    """
    import torch

    if isinstance(answer, torch.Tensor):
        return answer
    named = _named(answer)
    for name in parts:
        if isinstance(named.get(name), torch.Tensor):
            found: Tensor = named[name]
            return found
    parts_in_order = list(answer) if isinstance(answer, list | tuple) else list(named.values())
    first = parts_in_order[0] if parts_in_order else None
    if isinstance(first, torch.Tensor) and (len(parts_in_order) == 1 or isinstance(answer, list | tuple)):
        return first
    what = f"a {type(answer).__name__}" + (f" with {', '.join(map(str, list(named)[:8]))}" if named else "")
    raise ModelError(
        f"the network returns {what}, in which no part is known as its answer ({', '.join(parts)}). Wrap it in a "
        "module whose forward returns that one tensor."
    )


def _named(answer: Any) -> Mapping[str, Any]:
    if isinstance(answer, Mapping):
        return answer
    if hasattr(answer, "_asdict"):
        found: Mapping[str, Any] = answer._asdict()
        return found
    return vars(answer) if hasattr(answer, "__dict__") else {}


def answer_of(network: Network, batch: Batch) -> Tensor:
    """A network's answer to a batch, [b, ...]; the first side that ``squeeze`` takes from a batch of one is put back.

    Raises:
        ModelError: it has another number of rows.
    """
    found, rows = tensor_of(network(batch.inputs)), len(batch.inputs)
    if found.ndim and len(found) == rows:
        return found
    if rows == 1:
        return found[None]
    raise ModelError(
        f"the network returns {list(found.shape)} for {rows} records: the first side of its answer has to be theirs."
    )


def two_classes(answer: Any, inputs: Any) -> Any:
    """A head with one output as a classifier's: its logits [n] or [n, 1] are the log-odds of class 1, [n, 2] here.

    inputs: what the network was given, a tensor or tensors by name. Anything else is handed on as it is, such as the
    scores [C] that a network with several outputs squeezes of a batch of one.
    """
    import torch

    if not isinstance(answer, torch.Tensor) or answer.ndim not in (1, 2) or (answer.ndim == 2 and answer.shape[1] != 1):
        return answer
    given = next(iter(inputs.values())) if isinstance(inputs, Mapping) else inputs
    if len(answer) != len(given):
        return answer
    odds = answer.reshape(-1, 1)
    return torch.cat([torch.zeros_like(odds), odds], dim=1)


def flat(outputs: Tensor, targets: Tensor, what: str) -> tuple[Tensor, Tensor]:
    """Both as float64 [n, k] on the CPU: of one shape but for sides of 1, or one of them in a row.

    Raises:
        ModelError: records have other numbers of values, or as many in another shape.
    """
    shapes = [tuple(side for side in one.shape[1:] if side != 1) for one in (outputs, targets)]
    found, wanted = (one.detach().double().reshape(len(one), -1) for one in (outputs, targets))
    if found.shape != wanted.shape:
        raise ModelError(
            f"the network gives {found.shape[1]} values a record, and {what} {wanted.shape[1]}. Its last layer and the "
            "data's target columns must be as many."
        )
    if shapes[0] != shapes[1] and min(map(len, shapes)) > 1:
        raise ModelError(
            f"the network gives {list(outputs.shape[1:])} a record, and {what} {list(targets.shape[1:])}: which value "
            "is which is not known. Have it return the target's shape, or a row."
        )
    return found.cpu(), wanted.cpu()
