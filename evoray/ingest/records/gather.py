"""What a task wants of a table, or of a torch Dataset: inputs, targets, and how they were read."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pyarrow as pa

from evoray.data.records import Column, Type, Values, schema_of
from evoray.data.schema import Schema
from evoray.errors import ConfigError, DataError
from evoray.ingest.records.tables import read_table, unnamed
from evoray.ingest.records.text_tables import OF_TEXT
from evoray.ingest.records.vectors import columns_named, numbers, words
from evoray.ingest.records.writing import Gathered, Wanted
from evoray.ingest.sources.dataset import length_of, record_of
from evoray.runtime.reading import shown
from evoray.tasks.inputs import IMAGE, INPUT

Target = tuple[Values, Column]
"""Of all records, and how they are kept."""


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
    found = made(wanted, inputs, of_numbers(wanted, targets, kind), {"source": kind}, kind)
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
NUMBERS: Mapping[str, Type] = {str(pa.type_for_alias(kind)): kind for kind in get_args(Type) if kind != "string"}
"""Types of single numbers by Arrow's names, as a schema has them."""
_KNOWN = f"There are {', '.join((*TABULAR, *OF_TEXT))}."


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
    record = record_of(dataset, index, where)
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
