"""What a task wants of a table, or of a torch Dataset: inputs, targets, and how they were read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from evoray.data.records import Column, Values
from evoray.errors import ConfigError, DataError
from evoray.ingest.records.tables import read_table
from evoray.ingest.records.vectors import columns_named, numbers
from evoray.ingest.records.writing import Gathered
from evoray.runtime.reading import shown


@dataclass(frozen=True)
class Wanted:
    """What the user says. inputs, targets: columns by name or pattern; seed: of the order of records."""

    task: str
    inputs: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    seed: int = 0
    shard_size: int = 1024


def gather(source: Path, wanted: Wanted) -> Gathered:
    """The records of a table's file.

    Raises:
        ConfigError: the task's records are not read from tables, or a column is not there. DataError: a bad cell.
    """
    table = read_table(source)
    make = TABULAR.get(wanted.task)
    if make is None:
        raise ConfigError(f"--task {shown(wanted.task)}: its records are not read from tables. {_KNOWN}")
    return make(table, wanted, shown(source))


def gather_dataset(dataset: Any, wanted: Wanted) -> Gathered:
    """The records of a torch Dataset of (input, target): tensors, arrays or numbers of one shape.

    Raises:
        ConfigError, DataError: as ``gather``.
    """
    if wanted.task not in TABULAR:
        raise ConfigError(f"--task {shown(wanted.task)}: its records are not read from a Dataset. {_KNOWN}")
    kind = type(dataset).__name__
    pairs = [_pair(dataset, index, kind) for index in range(len(dataset))]
    if not pairs:
        raise DataError(f"{kind}: no record in it.")
    inputs, targets = (_stacked([pair[at] for pair in pairs], kind, what) for at, what in ((0, "input"), (1, "target")))
    names = [f"record/{index}" for index in range(len(pairs))]
    return _made(wanted.task, inputs, targets, names, {"source": kind}, kind)


def _pair(dataset: Any, index: int, kind: str) -> tuple[np.ndarray, np.ndarray]:
    try:
        first, second = dataset[index][:2]
        return np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    except Exception as error:  # a user's code may raise anything
        reason = shown(f"{type(error).__name__}: {error}")
        raise DataError(f"{kind}, record {index}: no pair of tensors (input, target): {reason}.") from None


def _stacked(values: Sequence[np.ndarray], kind: str, what: str) -> np.ndarray:
    for index, one in enumerate(values):
        if one.shape != values[0].shape:
            raise DataError(f"{kind}, record {index}: its {what} is {one.shape}, the first one's {values[0].shape}.")
        if not np.isfinite(one).all():
            raise DataError(f"{kind}, record {index}: its {what} holds NaN or infinity.")
    return np.stack([np.atleast_1d(one) for one in values])


def _tabular(table: pa.Table, wanted: Wanted, origin: str) -> Gathered:
    if not wanted.targets:
        raise ConfigError(f"--task {wanted.task}: name the columns of the target with --target.")
    targets = columns_named(table, wanted.targets, "--target", origin)
    inputs = [name for name in columns_named(table, wanted.inputs or ("*",), "--input", origin) if name not in targets]
    if not inputs:
        raise ConfigError(f"{origin}: no column is left for the input. Name some with --input.")
    read = {"input": inputs, "target": targets}
    names = [f"record/{row}" for row in range(table.num_rows)]
    return _made(wanted.task, numbers(table, inputs, origin), numbers(table, targets, origin), names, read, origin)


def _made(
    task: str, inputs: np.ndarray, targets: np.ndarray, names: list[str], read: dict[str, Any], origin: str
) -> Gathered:
    target, kind = targets.astype(np.float32), "float32"
    if task == "multi-label":
        bad = np.flatnonzero(((targets != 0) & (targets != 1)).reshape(len(targets), -1).any(axis=1))
        if len(bad):
            raise DataError(f"{origin}, record {bad[0]}: a label is 0 or 1 (not given, or given), found others.")
        target, kind = targets.astype(np.uint8), "uint8"
    values: Mapping[str, Values] = {"input": inputs.astype(np.float32), "target": target}
    columns = {
        "input": Column(type="float32", shape=inputs.shape[1:]),
        "target": Column(type=kind, shape=targets.shape[1:]),  # type: ignore[arg-type]
    }
    return Gathered(task, columns, values, "target", names, read=read)


TABULAR: Mapping[str, Callable[[pa.Table, Wanted, str], Gathered]] = {"regression": _tabular, "multi-label": _tabular}
"""Tasks whose records are rows of numbers."""
_KNOWN = f"There are {', '.join(TABULAR)}."
