"""Columns of a table as one array: several columns of numbers side by side, or one of lists of one length."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from evoray.errors import ConfigError, DataError
from evoray.runtime.reading import shown


def columns_named(table: pa.Table, patterns: Sequence[str], option: str, origin: str) -> list[str]:
    """Names of columns, each pattern's (``x*``) in the table's order. ConfigError where one matches none."""
    found: list[str] = []
    for pattern in patterns:
        names = [name for name in table.column_names if name == pattern or fnmatchcase(name, pattern)]
        if not names:
            known = ", ".join(shown(name, 40) for name in table.column_names[:12])
            raise ConfigError(f"{option} {shown(pattern)}: {origin} has no such column. It has {known}.")
        found += [name for name in names if name not in found]
    return found


def numbers(table: pa.Table, names: Sequence[str], origin: str) -> np.ndarray:
    """float64 [n, ...]: the columns side by side [n, k], or the one column's lists, nested ones of one shape as well.

    Raises:
        DataError: an empty cell, one that is no finite number, or lists of different lengths; names column and row.
    """
    if len(names) == 1 and _is_list(table.schema.field(names[0]).type):
        return _lists(table.column(names[0]), names[0], origin)
    return np.stack([_plain(table.column(name), name, origin) for name in names], axis=1)


def words(table: pa.Table, name: str, origin: str) -> list[str]:
    """The cells of one column. Raises DataError where one is empty or the column holds no words."""
    column = table.column(name)
    if not pa.types.is_string(column.type) and not pa.types.is_large_string(column.type):
        raise DataError(f"{origin}: column {shown(name)} holds {column.type}, not words.")
    _check_full(column, name, origin)
    found: list[str] = column.to_pylist()
    return found


def _plain(column: pa.ChunkedArray, name: str, origin: str) -> np.ndarray:
    _check_full(column, name, origin)
    if not (pa.types.is_integer(column.type) or pa.types.is_floating(column.type) or pa.types.is_boolean(column.type)):
        first = shown(column[0].as_py(), 40)
        raise DataError(f"{origin}: column {shown(name)} holds {column.type} ({first} first), not numbers.")
    values: np.ndarray = pc.cast(column, pa.float64(), safe=False).to_numpy()
    _check_finite(values[:, None], name, origin)
    return values


def _lists(column: pa.ChunkedArray, name: str, origin: str) -> np.ndarray:
    _check_full(column, name, origin)
    try:
        values = np.array(column.to_pylist(), dtype=np.float64)
    except (ValueError, TypeError):
        raise DataError(
            f"{origin}: the lists of column {shown(name)} are not all of one shape, or hold what is no number."
        ) from None
    if values.ndim < 2 or 0 in values.shape:
        raise DataError(f"{origin}: the lists of column {shown(name)} are empty, or not all of one shape.")
    _check_finite(values.reshape(len(values), -1), name, origin)
    return values


def _is_list(kind: pa.DataType) -> bool:
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind))


def _check_full(column: pa.ChunkedArray, name: str, origin: str) -> None:
    if column.null_count:
        row = pc.index(pc.is_null(column), True).as_py()
        raise DataError(f"{origin}: column {shown(name)}, record {row}: empty. Fill it, or leave the record out.")


def _check_finite(values: np.ndarray, name: str, origin: str) -> None:
    bad = np.flatnonzero(~np.isfinite(values).all(axis=1))
    if len(bad):
        raise DataError(f"{origin}: column {shown(name)}, record {bad[0]}: NaN or infinite.")
