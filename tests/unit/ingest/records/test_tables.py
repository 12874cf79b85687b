from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet
import pytest

from evoray.errors import DataError
from evoray.ingest.records import tables
from evoray.ingest.records.tables import is_table, read_table, unnamed

COLUMNS = {"a": [1.5, -2.0], "b": [3, 4]}
TEXTS = {
    "t.csv": b"a,b\n1.5,3\n-2,4\n",
    "t.CSV": b"\xef\xbb\xbfa,b\r\n1.5,3\r\n-2,4\r\n",
    "quoted.csv": b'"a","b"\n"1.5","3"\n-2,4',
    "t.tsv": b"a\tb\n1.5\t3\n-2\t4\n",
    "t.jsonl": b'{"a": 1.5, "b": 3}\n{"b": 4, "a": -2}\n',
    "t.ndjson": b'{"a": 1.5, "b": 3}\n\n{"a": -2.0, "b": 4}',
}


@pytest.mark.parametrize("name", TEXTS)
def test_every_kind_gives_the_same_table(tmp_path, name):
    (tmp_path / name).write_bytes(TEXTS[name])
    assert is_table(name) and read_table(tmp_path / name).to_pydict() == COLUMNS


def test_parquet_gives_it_too(tmp_path):
    pyarrow.parquet.write_table(pa.table(COLUMNS), tmp_path / "t.parquet")
    assert read_table(tmp_path / "t.parquet").to_pydict() == COLUMNS


BAD = {
    "empty.csv": (b"", "no csv as pyarrow reads it .*Empty"),
    "header.csv": (b"a,b\n", "no record in it"),
    "wide.csv": (b"a,b\n1,2,3\n", "Expected 2 columns, got 3"),
    "double.csv": (b"a,a\n1,2\n", "two columns are called a"),
    "latin.csv": (b"\xe9,b\n1,2\n", "no csv"),
    "latin.jsonl": (b'{"a": "caf\xe9 is"}\n{"a": "b"}\n', "no jsonl, for line 1 .*utf-8.* Write it in UTF-8"),
    "utf16.csv": ("a,b\n1,2\n".encode("utf-16"), "no csv"),
    "semicolons.csv": (b"a;b\n1,5;2\n", "divided by|Expected"),
    "one.csv": (b"a;b\n1;2\n", "divided by ;"),
    "tabs.csv": (b"a\tb\n1\t2\n", "divided by tabs"),
    "commas.tsv": (b"a,b\n1,2\n", "divided by commas"),
    "headless.csv": (b"1.5,2.5\n3,4\n", "first line is 1.5, 2.5, and no names"),
    "page.csv": (b"<html>404</html>\n", "no record"),
    "array.jsonl": (b"[1, 2]\n", "no jsonl"),
    "deep.jsonl": (b'{"a":' * 100_000, "line 1 is nested deeper than 32 levels"),
    "lists.jsonl": (b"[" * 200_000, "line 1 holds something else than objects"),
    "null.jsonl": (b'{"a": 1}\nnull\n', "line 2 holds something else"),
    "null later.jsonl": (b'{"a": 1} null\n', "line 1 holds something else"),
    "text.jsonl": (b'"x"\n', "no jsonl"),
    "lines.jsonl": (b'{"a":\n' * 100_000, "line 33 is nested deeper"),
    "half.jsonl": (b'{"a": 1}\n{"a": ', "no jsonl, for line 2"),
    "large.jsonl": (b'{"a": 1e999}\n', "too big"),
    "mixed.jsonl": (b'{"a": 1}\n{"a": "x"}\n', "column a holds a number in line 1, and a text in line 2"),
    "damaged.parquet": (b"PAR1" + bytes(100), "not Parquet"),
    "t.xlsx": (b"PK\3\4", "no table. Records are read from .csv, .tsv"),
    "none": (b"a,b\n1,2\n", "no table"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_table_is_refused_in_a_line(tmp_path, name):
    content, says = BAD[name]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=says) as refused:
        read_table(tmp_path / name)
    assert name in str(refused.value) and len(str(refused.value)) < 500


def test_signs_in_words_are_no_levels(tmp_path):
    (tmp_path / "t.jsonl").write_bytes((b'{"a": "' + b'[{\\"' * 50 + b'"}\n') * 2)
    assert read_table(tmp_path / "t.jsonl").to_pydict() == {"a": ['[{"' * 50] * 2}


def test_columns_numbered_by_pandas_are_names(tmp_path):
    (tmp_path / "t.csv").write_text("0,1,2\n5,6,7\n")
    assert read_table(tmp_path / "t.csv").column_names == ["0", "1", "2"]
    assert [unnamed(name) for name in ("", "Unnamed: 0", "0")] == [True, True, False]


def test_a_long_line_is_read(tmp_path):
    """Longer than the block that pyarrow reads by itself."""
    (tmp_path / "t.jsonl").write_text('{"a": [' + "1," * 600_000 + "1]}\n" * 2)
    (tmp_path / "t.csv").write_text("x" * 2**21 + ",b\n1,2\n")
    with pytest.raises(DataError):
        read_table(tmp_path / "t.jsonl")  # the second line is no JSON
    assert read_table(tmp_path / "t.csv").num_columns == 2


@pytest.mark.parametrize("make", ["missing", "a folder", "too large"])
def test_no_file(tmp_path, monkeypatch, make):
    path = tmp_path / "t.csv"
    if make == "a folder":
        path.mkdir()
    if make == "too large":
        path.write_text("a,b\n1,2\n")
        monkeypatch.setattr(tables, "BYTES", 4)
    with pytest.raises(DataError, match=r"t\.csv"):
        read_table(path)
