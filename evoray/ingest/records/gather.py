"""What a task wants of a table, or of a torch Dataset: inputs, targets, and how they were read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from evoray.data.records import Column, Type, Values
from evoray.errors import ConfigError, DataError
from evoray.ingest.records.pairs import pairs_of
from evoray.ingest.records.tables import read_table, unnamed
from evoray.ingest.records.text_tables import OF_TEXT
from evoray.ingest.records.vectors import columns_named, numbers, words
from evoray.ingest.records.writing import Gathered
from evoray.runtime.reading import shown

Target = tuple[Values, Column]
"""Of all records, and how they are kept."""


@dataclass(frozen=True)
class Wanted:
    """What the user says. inputs, targets: columns by name or pattern; seed: of the order of records.

    kind: the task of EvoRay's whose records it takes, where ``task`` is a user's own.
    config: of the run whose parent makes tokens of texts; truncate: whether texts that are too long for it are cut.
    words: the target is one column of words, as a task of one's own may say (``target`` of type ``string``).
    """

    task: str
    inputs: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    seed: int = 0
    shard_size: int = 1024
    kind: str = ""
    config: Path | None = None
    truncate: bool = False
    words: bool = False


def gather(source: Path, wanted: Wanted) -> Gathered:
    """The records of a table's file.

    Raises:
        ConfigError: the task's records are not read from tables, or a column is not there. DataError: a bad cell.
    """
    kind = wanted.kind or wanted.task
    make = TABULAR.get(kind) or OF_TEXT.get(kind)
    if make is None:
        raise ConfigError(f"--task {shown(wanted.task)}: its records are not read from tables. {_KNOWN}")
    return make(read_table(source), wanted, shown(source))


def gather_dataset(dataset: Any, wanted: Wanted) -> Gathered:
    """The records of a torch Dataset of (input, target): tensors, arrays or numbers of one shape.

    Raises:
        ConfigError, DataError: as ``gather``.
    """
    if (wanted.kind or wanted.task) not in TABULAR:
        raise ConfigError(f"--task {shown(wanted.task)}: its records are not read from a Dataset. {_KNOWN}")
    if wanted.inputs or wanted.targets:
        raise ConfigError("--input and --target name columns of a table; a Dataset gives (input, target).")
    kind = type(dataset).__name__
    inputs, targets = pairs_of(dataset)
    return made(wanted, inputs, of_numbers(wanted, targets, kind), {"source": kind}, kind)


def _tabular(table: pa.Table, wanted: Wanted, origin: str) -> Gathered:
    if not wanted.targets:
        raise ConfigError(f"--task {shown(wanted.task)}: name the columns of the target with --target.")
    targets = columns_named(table, wanted.targets, "--target", origin)
    if both := set(targets) & set(wanted.inputs):
        raise ConfigError(f"--input {shown(min(both))}: it is the target as well, so there is nothing to find out.")
    named = columns_named(table, wanted.inputs or ("*",), "--input", origin)
    inputs = [name for name in named if name not in targets and (wanted.inputs or not unnamed(name))]
    if not inputs:
        raise ConfigError(f"{origin}: no column is left for the input. Name some with --input.")
    read = {"input": inputs, "target": targets}
    return made(wanted, numbers(table, inputs, origin), target_of(table, targets, wanted, origin), read, origin)


def target_of(table: pa.Table, names: list[str], wanted: Wanted, origin: str) -> Target:
    """The target's columns. ConfigError where there are several of words; DataError: a bad cell."""
    if not wanted.words:
        return of_numbers(wanted, numbers(table, names, origin), origin)
    if len(names) > 1:
        raise ConfigError(f"--target: {shown(', '.join(names), 200)}; words stand in one column. Name one.")
    return words(table, names[0], origin), Column(type="string")


def made(wanted: Wanted, inputs: np.ndarray, target: Target, read: Mapping[str, Any], origin: str) -> Gathered:
    """Records of two arrays [n, ...].

    Floats are kept in float32, as networks take them, and targets in float64 where that changes them; whole numbers of
    a Dataset stay whole, for an embedding looks rows up by them.
    """
    whole = inputs.dtype.kind == "i" or (inputs.dtype.kind == "u" and inputs.dtype.itemsize > 1)
    kind: Type = "int64" if whole else "float32"
    with np.errstate(over="ignore"):
        values = inputs.astype(kind)
    if not whole and len(bad := np.flatnonzero(~np.isfinite(values).reshape(len(values), -1).all(axis=1))):
        raise DataError(f"{origin}, record {bad[0]} (the first is 0): an input beyond float32, 3.4e38. Scale it.")
    columns = {"input": Column(type=kind, shape=inputs.shape[1:]), "target": target[1]}
    names = [f"record/{row}" for row in range(len(inputs))]
    return Gathered(wanted.task, columns, {"input": values, "target": target[0]}, "target", names, read=read)


def of_numbers(wanted: Wanted, targets: np.ndarray, origin: str) -> Target:
    """Targets [n, ...] as the task keeps them. DataError where one is no 0 or 1 and should be."""
    kind: Type = "uint8"
    if (wanted.kind or wanted.task) == "multi-label":
        bad = np.flatnonzero(((targets != 0) & (targets != 1)).reshape(len(targets), -1).any(axis=1))
        if len(bad):
            found = targets[bad[0]].reshape(-1)
            found = found[(found != 0) & (found != 1)]
            raise DataError(
                f"{origin}, record {bad[0]} (the first is 0): the label {found[0]:g}; labels are 0 or 1, not given or "
                "given. For measured values take --task regression."
            )
    else:
        with np.errstate(over="ignore"):
            kind = "float32" if np.array_equal(targets.astype("float32"), targets) else "float64"
    return targets.astype(kind), Column(type=kind, shape=targets.shape[1:])


TABULAR: Mapping[str, Callable[[pa.Table, Wanted, str], Gathered]] = {"regression": _tabular, "multi-label": _tabular}
"""Tasks whose records are rows of numbers."""
_KNOWN = f"There are {', '.join((*TABULAR, *OF_TEXT))}."
