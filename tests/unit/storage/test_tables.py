"""Parquet is bounded by what it says of itself, and by what it turns out to be."""

from __future__ import annotations

import io

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest

from evoray.errors import UsageError
from evoray.storage import tables
from evoray.storage.tables import check_types, read_parquet


def written(columns, **options):
    sink = io.BytesIO()
    pyarrow.parquet.write_table(pa.table(columns), sink, **options)
    return sink.getvalue()


@pytest.mark.parametrize("rows", [0, 1, 3, 20_000])
@pytest.mark.parametrize("options", [{}, {"compression": "zstd"}, {"use_dictionary": False}, {"row_group_size": 7_000}])
def test_a_good_table_is_what_pyarrow_reads(rows, options):
    texts = pa.array([None if n % 7 == 0 else f"child {n % 50}" for n in range(rows)], pa.string())
    columns = {
        "id": texts,
        "n": pa.array(range(rows), pa.int64()),
        "x": pa.array([n / 3 for n in range(rows)], pa.float64()),
        "u": pa.array([2**63 + n for n in range(rows)], pa.uint64()),
        "s": pa.array([n % 100 for n in range(rows)], pa.int8()),
        "nothing": pa.array([None] * rows, pa.null()),
        "bytes": pa.array([b"\xff"] * rows, pa.binary()),
        "list": pa.array([[1.0, 2.0]] * rows, pa.list_(pa.float32(), 2)),
    }
    content = written(columns, **options)
    found = read_parquet(content, "it", "Mend it.")
    assert found.equals(pyarrow.parquet.read_table(io.BytesIO(content)))


@pytest.mark.parametrize("content", [b"", b"PAR1", b"PAR1" * 10, b"\0" * 100, b"{}"])
def test_what_is_no_parquet_says_so(content):
    with pytest.raises(UsageError, match=r"^it: damaged.* Mend it\.$"):
        read_parquet(content, "it", "Mend it.", UsageError)


def test_too_many_rows_or_bytes_are_refused(monkeypatch):
    content = written({"x": np.arange(10_000.0)}, compression="zstd")
    with pytest.raises(UsageError, match=r"10,000 rows of .* bytes, .* at most 2,000,000 of 100"):
        read_parquet(content, "it", "Mend it.", UsageError, 100)
    monkeypatch.setattr(tables, "TABLE_ROWS", 9_999)
    with pytest.raises(UsageError, match="10,000 rows"):
        read_parquet(content, "it", "Mend it.", UsageError)


def test_a_text_that_stands_in_every_row_is_counted_for_every_row():
    texts = pa.DictionaryArray.from_arrays(pa.array(np.zeros(1000, np.int32)), ["x" * 10_000])
    content = written({"id": texts}, store_schema=False)
    with pytest.raises(UsageError, match="unpacked it is more than the 1,000,000 bytes"):
        read_parquet(content, "it", "Mend it.", UsageError, 10**6)
    assert read_parquet(content, "it", "Mend it.", UsageError, 10**8).num_rows == 1000


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"n": ["a"]}, "column n is string"),
        ({"x": ["a"]}, "column x is string"),
        ({"t": [1]}, "column t is int64"),
        ({"n": pa.array([1, None])}, "column n has empty cells"),
        ({"n": pa.array([1.5])}, "column n is double"),
    ],
)
def test_columns_of_other_kinds_are_named(columns, message):
    with pytest.raises(ValueError, match=message):
        check_types(pa.table(columns), {"int": ["n"], "float": ["x"], "text": ["t"]}, ["n"])


def test_columns_that_nobody_names_may_be_anything():
    check_types(pa.table({"other": [[1]], "x": [1], "t": pa.array([None], pa.null())}), {"float": ["x"], "text": ["t"]})
    two = pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["n", "n"])
    with pytest.raises(ValueError, match="one name"):
        check_types(two, {})
