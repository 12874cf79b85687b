"""Columns of a table as one array: several columns of numbers side by side, or one of lists of one length."""

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
        exact = [pattern] if pattern in table.column_names else []
        names = exact or [name for name in table.column_names if fnmatchcase(name, pattern)]
        if not names:
            known = ", ".join(shown(name, 40) for name in table.column_names[:12])
            raise ConfigError(f"{option} {shown(pattern)}: {origin} has no such column. It has {known}.")
        found += [name for name in names if name not in found]
    return found


def numbers(table: pa.Table, names: Sequence[str], origin: str) -> np.ndarray:
    """float64 [n, ...]: the columns side by side [n, k], or the one column's lists, nested ones of one shape as well.

    Raises:
        DataError: an empty cell, one that is no finite number, or lists of different lengths; names column and record.
    """
    if len(names) == 1 and _is_list(table.schema.field(names[0]).type):
        return _lists(table.column(names[0]), names[0], origin)
    return np.stack([_plain(table.column(name).combine_chunks(), name, origin) for name in names], axis=1)


def words(table: pa.Table, name: str, origin: str) -> list[str]:
    """The cells of one column. Raises DataError where one is empty or the column holds no words."""
    column = table.column(name)
    if not pa.types.is_string(column.type) and not pa.types.is_large_string(column.type):
        raise DataError(f"{origin}: column {shown(name)} holds {column.type}, not words. Quote them, in .jsonl.")
    _check_full(column, name, origin)
    found: list[str] = column.to_pylist()
    return found


def _lists(column: pa.ChunkedArray, name: str, origin: str) -> np.ndarray:
    array, shape = column.combine_chunks(), [len(column)]
    while _is_list(array.type):
        per = len(array) // shape[0]
        _check_full(array, name, origin, per)
        lengths = pc.list_value_length(array).to_numpy(zero_copy_only=False)
        if len(other := np.flatnonzero(lengths != lengths[0])):
            raise DataError(
                f"{_place(origin, name, other[0] // per)}: a list of {lengths[other[0]]}, the first one has "
                f"{lengths[0]}. Every record's lists must be of one length."
            )
        if lengths[0] == 0:
            raise DataError(f"{origin}: the lists of column {shown(name)} are empty.")
        array = array.flatten()
        shape.append(int(lengths[0]))
    return _plain(array, name, origin, len(array) // shape[0]).reshape(shape)


def _plain(array: pa.Array, name: str, origin: str, per: int = 1) -> np.ndarray:
    """float64 [n * per] of an array in which each record has ``per`` values."""
    _check_full(array, name, origin, per)
    kind = array.type
    if not any(is_one(kind) for is_one in _NUMBERS):
        row, cell = _first_word(array) if pa.types.is_string(kind) else (0, array[0].as_py())
        raise DataError(
            f"{_place(origin, name, row // per)}: {shown(cell, 40)} is no number ({kind}). Write every cell as a "
            "number such as 1.5, or name other columns with --input and --target."
        )
    try:
        values: np.ndarray = pc.cast(array, pa.float64()).to_numpy(zero_copy_only=False)
    except pa.ArrowException:
        raise DataError(f"{origin}: column {shown(name)} holds whole numbers beyond 2**53. Scale it.") from None
    if len(bad := np.flatnonzero(~np.isfinite(values))):
        raise DataError(
            f"{_place(origin, name, bad[0] // per)}: {values[bad[0]]} is no finite number. Fill it, or leave the "
            "record out."
        )
    return values


_NUMBERS = (pa.types.is_integer, pa.types.is_floating, pa.types.is_boolean, pa.types.is_decimal)


def _first_word(array: pa.Array) -> tuple[int, str]:
    """(row, cell) of the first that is no number; the first of all where each would be one without its quotes."""
    for row, cell in enumerate(array.to_pylist()):
        try:
            float(cell)
        except ValueError:
            return row, cell
    return 0, array[0].as_py()


def _is_list(kind: pa.DataType) -> bool:
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind))


def _check_full(column: pa.ChunkedArray | pa.Array, name: str, origin: str, per: int = 1) -> None:
    if column.null_count:
        row = pc.index(pc.is_null(column), True).as_py() // per
        raise DataError(f"{_place(origin, name, row)}: empty. Fill it, or leave the record out.")


def _place(origin: str, name: str, row: int) -> str:
    return f"{origin}: column {shown(name)}, record {row} (the first is 0)"
