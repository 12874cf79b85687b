from __future__ import annotations

import decimal

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from evoray.errors import ConfigError, DataError
from evoray.ingest.records.vectors import columns_named, numbers, words


@given(arrays(np.float64, array_shapes(min_dims=2, max_dims=4, max_side=4), elements=st.floats(-9, 9)))
def test_lists_of_one_shape_come_back(values):
    table = pa.table({"x": pa.chunked_array([values[:1].tolist(), values[1:].tolist()], type=nested(values.ndim - 1))})
    assert np.array_equal(numbers(table, ["x"], "t"), values)


def nested(depth):
    return pa.list_(nested(depth - 1)) if depth else pa.float64()


def test_columns_side_by_side_in_the_order_asked():
    table = pa.table({"a": [1, 2], "b": [0.5, 1.5], "c": [True, False], "d": [decimal.Decimal("1.25")] * 2})
    assert numbers(table, ["c", "a", "b", "d"], "t").tolist() == [[1, 1, 0.5, 1.25], [0, 2, 1.5, 1.25]]


FIXED = pa.FixedSizeListArray.from_arrays(pa.array([1, 2, 3, 4]), 2)


def test_lists_of_a_fixed_size():
    assert numbers(pa.table({"x": FIXED}), ["x"], "t").tolist() == [[1, 2], [3, 4]]


BAD = {
    "empty": ([1.0, None], "record 1 .*: empty"),
    "nan": ([1.0, float("nan")], "record 1 .*: nan is no finite"),
    "inf": ([float("-inf"), 1.0], "record 0 .*: -inf is no finite"),
    "word": (["1", "x\x1b[2J"], r"record 1 .*: x\\x1b\[2J is no number"),
    "quoted": (["1", "2"], "record 0 .*: 1 is no number"),
    "decimal comma": (["1", "2,5"], "record 1 .*: 2,5 is no number"),
    "bytes": ([b"1", b"2"], "is no number"),
    "huge": ([2**53 + 1, 1], r"beyond 2\*\*53"),
    "struct": ([{"a": 1}, {"a": 2}], "is no number"),
    "list lengths": ([[1, 2], [1]], "record 1 .*: a list of 1, the first one has 2"),
    "inner lengths": ([[[1], [2]], [[1], [2, 3]]], "record 1 .*: a list of 2, the first one has 1"),
    "empty lists": ([[], []], "are empty"),
    "empty in a list": ([[1.0, 2.0], [1.0, None]], "record 1 .*: empty"),
    "an empty list": ([[1.0], None], "record 1 .*: empty"),
    "nan in a list": ([[1.0, 2.0], [1.0, float("nan")]], "record 1 .*: nan"),
    "words in a list": ([["a"], ["b"]], "record 0 .*: a is no number"),
    "nothing at all": ([None, None], "record 0 .*: empty"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_cell_is_named_with_column_and_record(name):
    values, says = BAD[name]
    with pytest.raises(DataError, match=says) as refused:
        numbers(pa.table({"x": values}), ["x"], "t.csv")
    assert str(refused.value).startswith("t.csv: ") and "x" in str(refused.value)


def test_patterns_and_names():
    table = pa.table({name: [1] for name in ("x1", "x2", "x[1]", "y")})
    assert columns_named(table, ["x[1]", "x*"], "--input", "t") == ["x[1]", "x1", "x2"]
    with pytest.raises(ConfigError, match=r"--input z: t has no such column. It has x1, x2, x\[1\], y"):
        columns_named(table, ["z"], "--input", "t")


def test_words():
    table = pa.table({"t": ["a", ""], "n": [1, 2], "e": ["a", None]})
    assert words(table, "t", "o") == ["a", ""]
    with pytest.raises(DataError, match="holds int64, not words"):
        words(table, "n", "o")
    with pytest.raises(DataError, match=r"record 1 .*: empty"):
        words(table, "e", "o")
