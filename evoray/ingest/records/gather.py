"""What a task wants of a table, or of a torch Dataset: inputs, targets, and how they were read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pyarrow as pa

from evoray.data.records import Column, Type, schema_of
from evoray.data.schema import Schema
from evoray.errors import ConfigError, DataError
from evoray.ingest.records.pairs import pairs_of
from evoray.ingest.records.tables import read_table, unnamed
from evoray.ingest.records.text_tables import OF_TEXT
from evoray.ingest.records.vectors import columns_named, numbers
from evoray.ingest.records.writing import Gathered
from evoray.runtime.reading import shown
from evoray.tasks.inputs import IMAGE, INPUT


@dataclass(frozen=True)
class Wanted:
    """What the user says. inputs, targets: columns by name or pattern; seed: of the order of records.

    kind: the task of EvoRay's whose records it takes, where ``task`` is a user's own.
    config: of the run whose parent makes tokens of texts; truncate: whether texts that are too long for it are cut.
    schema: of a user's own task whose records are of a kind of its own.
    """

    task: str
    inputs: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    seed: int = 0
    shard_size: int = 1024
    kind: str = ""
    config: Path | None = None
    truncate: bool = False
    schema: Schema | None = None


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
    own = wanted.schema
    if (wanted.kind or wanted.task) not in TABULAR and (own is None or IMAGE in own.columns or own.target == INPUT):
        raise ConfigError(f"--task {shown(wanted.task)}: its records are not read from a Dataset. {_KNOWN}")
    if wanted.inputs or wanted.targets:
        raise ConfigError("--input and --target name columns of a table; a Dataset gives (input, target).")
    kind = type(dataset).__name__
    inputs, targets = pairs_of(dataset)
    found = made(wanted, inputs, targets, {"source": kind}, kind)
    return found if own is None else _under_names(found, own, kind)


def _under_names(found: Gathered, schema: Schema, origin: str) -> Gathered:
    """Columns as a user's schema calls them: its target, and what else there is; single numbers in the type it names.

    Raises:
        DataError: they are not all that it asks for.
    """
    others = [name for name in schema.columns if name not in (schema.target, "source")]
    names = {"input": others[0] if len(others) == 1 else "input", "target": schema.target}
    columns, values = {}, {}
    for name, called in names.items():
        column, array, wanted = found.columns[name], np.asarray(found.values[name]), schema.columns.get(called, "")
        if array.size == len(array) and wanted in NUMBERS:
            with np.errstate(all="ignore"):
                number = array.reshape(-1).astype(NUMBERS[wanted])
            if not np.array_equal(number, array.reshape(-1)):
                raise DataError(f"{origin}: its {name} is not all {wanted}, which {schema.task} asks for. Convert it.")
            column, array = Column(type=NUMBERS[wanted], shape=()), number
        columns[called], values[called] = column, array
    if lacking := schema.lacking(schema_of(schema.task, columns, schema.target).columns):
        raise DataError(
            f"{origin}: gives (input, target), as {', '.join(names.values())}; {schema.task} asks for "
            f"{', '.join(lacking)} as well. Name in its schema what a Dataset gives: fixed_size_binary for arrays, "
            "int64 or float for single numbers."
        )
    return replace(found, columns=columns, values=values, target=schema.target)


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
    return made(wanted, numbers(table, inputs, origin), numbers(table, targets, origin), read, origin)


def made(wanted: Wanted, inputs: np.ndarray, targets: np.ndarray, read: Mapping[str, Any], origin: str) -> Gathered:
    """Records of two arrays [n, ...].

    Floats are kept in float32, as networks take them, and targets in float64 where that changes them; whole numbers of
    a Dataset stay whole, for an embedding looks rows up by them.
    """
    whole = inputs.dtype.kind == "i" or (inputs.dtype.kind == "u" and inputs.dtype.itemsize > 1)
    kind: Type = "int64" if whole else "float32"
    target, target_kind = labels_or_measures(wanted, targets, origin)
    with np.errstate(over="ignore"):
        values = inputs.astype(kind)
    if not whole and len(bad := np.flatnonzero(~np.isfinite(values).reshape(len(values), -1).all(axis=1))):
        raise DataError(f"{origin}, record {bad[0]} (the first is 0): an input beyond float32, 3.4e38. Scale it.")
    columns = {
        "input": Column(type=kind, shape=inputs.shape[1:]),
        "target": Column(type=target_kind, shape=targets.shape[1:]),
    }
    names = [f"record/{row}" for row in range(len(inputs))]
    return Gathered(wanted.task, columns, {"input": values, "target": target}, "target", names, read=read)


def labels_or_measures(wanted: Wanted, targets: np.ndarray, origin: str) -> tuple[np.ndarray, Type]:
    """Targets [n, ...] as the task keeps them, and their type. DataError where one is no 0 or 1 and should be."""
    if (wanted.kind or wanted.task) == "multi-label":
        bad = np.flatnonzero(((targets != 0) & (targets != 1)).reshape(len(targets), -1).any(axis=1))
        if len(bad):
            found = targets[bad[0]].reshape(-1)
            found = found[(found != 0) & (found != 1)]
            raise DataError(
                f"{origin}, record {bad[0]} (the first is 0): the label {found[0]:g}; labels are 0 or 1, not given or "
                "given. For measured values take --task regression."
            )
        return targets.astype(np.uint8), "uint8"
    with np.errstate(over="ignore"):
        short = targets.astype(np.float32)
    if np.array_equal(short, targets):
        return short, "float32"
    return targets.astype(np.float64), "float64"


TABULAR: Mapping[str, Callable[[pa.Table, Wanted, str], Gathered]] = {"regression": _tabular, "multi-label": _tabular}
"""Tasks whose records are rows of numbers."""
NUMBERS: Mapping[str, Type] = {str(pa.type_for_alias(kind)): kind for kind in get_args(Type) if kind != "string"}
"""Types of single numbers by Arrow's names, as a schema has them."""
_KNOWN = f"There are {', '.join((*TABULAR, *OF_TEXT))}."
