"""A torch Dataset of (input, target) as two arrays: tensors, arrays, numbers or lists of them, of one shape."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from evoray.errors import DataError
from evoray.ingest.sources.dataset import length_of
from evoray.runtime.reading import shown

GIVE = "Give (input, target), tensors or numbers."


def pairs_of(dataset: Any) -> tuple[np.ndarray, np.ndarray]:
    """Inputs [n, ...] and targets [n, ...]; plain numbers are [n, 1]. Types are as the Dataset has them.

    Raises:
        DataError: no length, no record, one that raises or is no pair of numbers, another shape than the first's, or a
            number that is not finite; names the record.
    """
    kind = type(dataset).__name__
    pairs = [_pair(dataset, index, f"{kind}, record {index}") for index in range(length_of(dataset))]
    inputs, targets = zip(*pairs, strict=True)
    return _stacked(inputs, kind, "input"), _stacked(targets, kind, "target")


def _pair(dataset: Any, index: int, where: str) -> tuple[np.ndarray, np.ndarray]:
    try:
        record = dataset[index]
    except Exception as error:  # a user's code may raise anything
        raise DataError(f"{where}: raised {shown(f'{type(error).__name__}: {error}')}.") from None
    if isinstance(record, Mapping):
        raise DataError(f"{where}: a dictionary of {shown(', '.join(map(str, record)), 120)}. {GIVE}")
    if not isinstance(record, tuple | list) or len(record) != 2:
        parts = f" of {len(record)}" if isinstance(record, tuple | list) else ""
        raise DataError(f"{where}: a {type(record).__name__}{parts}, and no pair. {GIVE}")
    return _array(record[0], f"{where}: its input"), _array(record[1], f"{where}: its target")


def _array(value: Any, where: str) -> np.ndarray:
    """Of numbers."""
    name = type(value).__name__
    if hasattr(value, "getbands"):
        raise DataError(f"{where} is a picture ({name}). Make a tensor of it, such as torchvision's ToTensor does.")
    try:
        if hasattr(value, "detach"):
            value = value.detach().cpu()
            value = value.float() if "bfloat16" in str(value.dtype) else value
        found = np.asarray(value)
    except (TypeError, ValueError, RuntimeError) as error:
        raise DataError(f"{where} is a {name} that is no array of numbers ({shown(error)}). {GIVE}") from None
    if found.dtype.kind not in "buif":
        raise DataError(f"{where} is {shown(value, 40)}, a {name} and no array of numbers. {GIVE}")
    if found.size == 0:
        raise DataError(f"{where} is empty, {list(found.shape)}. {GIVE}")
    if not np.isfinite(found).all():
        raise DataError(f"{where} holds NaN or infinity. Fill it, or leave the record out.")
    return found


def _stacked(values: Sequence[np.ndarray], kind: str, what: str) -> np.ndarray:
    for index, one in enumerate(values):
        if one.shape != values[0].shape:
            raise DataError(
                f"{kind}, record {index}: its {what} is {list(one.shape)}, the first one's {list(values[0].shape)}. "
                "Every record's must be of one shape."
            )
    return np.stack([np.atleast_1d(one) for one in values])
