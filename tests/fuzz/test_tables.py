"""Tables of children that are none, or larger than they look."""

from __future__ import annotations

import io

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
from program import assert_clean, call

FILE = "run/population.parquet"


def write(path, columns, **options):
    sink = io.BytesIO()
    pyarrow.parquet.write_table(pa.table(columns), sink, **options)
    path.write_bytes(sink.getvalue())


@pytest.fixture
def columns(place):
    table = pyarrow.parquet.read_table(place / FILE)
    return {name: table[name].combine_chunks() for name in table.column_names}


CHANGES = {
    "no columns": lambda all_: {"x": [1]},
    "no ids": lambda all_: {key: one for key, one in all_.items() if key != "child_id"},
    "no children": lambda all_: {key: one[:0] for key, one in all_.items()},
    "ids that are numbers": lambda all_: all_ | {"child_id": range(4)},
    "ids that are missing": lambda all_: all_ | {"child_id": pa.array([None] * 4, pa.string())},
    "ids that are bytes": lambda all_: all_ | {"child_id": [b"\xff"] * 4},
    "generations that are words": lambda all_: all_ | {"generation": ["x"] * 4},
    "generations that are missing": lambda all_: all_ | {"generation": pa.array([None] * 4, pa.int64())},
    "ranks that are words": lambda all_: all_ | {"rank": ["x"] * 4},
    "losses that are words": lambda all_: all_ | {"select_nll": ["x"] * 4},
    "losses in lists": lambda all_: all_ | {"select_nll": [[1.0]] * 4},
    "sigmas that are words": lambda all_: all_ | {"sigma": ["x"] * 4},
    "parts that are words": lambda all_: all_ | {"parts": ["x"] * 4},
    "a status that is a number": lambda all_: all_ | {"status": range(4)},
    "dates": lambda all_: all_ | {"select_top1": pa.array([0] * 4, pa.timestamp("s"))},
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("command", [["show", "run"], ["export", "run", "g0000/c0003", "-o", "out.safetensors"]])
def test_other_columns(place, columns, command, change):
    write(place / FILE, CHANGES[change](columns))
    outcome = call(*command)
    assert_clean(outcome, may_be_good=change == "no children")  # whose tables are empty
    assert not outcome.code or "population.parquet" in outcome.message
    assert not list(place.glob("out*"))


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("sigma", [-1.0] * 4),
        ("sigma", [float("nan")] * 4),
        ("parts", [0] * 4),
        ("part", [10**6] * 4),
        ("sign", pa.array([3] * 4, pa.int8())),
        ("mask_seed", pa.array([-1] * 4)),
        ("generation", [-1] * 4),
        ("generation", [10**6] * 4),
        ("entries", ["[]"] * 4),
        ("entries", ["{"] * 4),
        ("entries", ["[" * 10**5] * 4),
        ("entries", ['[{"weight": 1, "mutation": {"kind": "os:system"}}]'] * 4),
    ],
)
def test_a_child_that_cannot_be_made(place, columns, name, values):
    write(place / FILE, columns | {name: values})
    assert_clean(call("export", "run", "g0000/c0003", "-o", "out.safetensors"))
    assert not list(place.glob("out*"))


def test_many_rows_in_a_kilobyte(place, columns):
    many = pa.RunEndEncodedArray.from_arrays([2**23], pa.array([1.5]))
    zeros = pyarrow.compute.run_end_decode(many)
    write(place / FILE, {"select_nll": zeros}, compression="zstd")
    assert (place / FILE).stat().st_size < 2**20
    outcome = call("show", "run")
    assert_clean(outcome)
    assert "rows" in outcome.message and outcome.memory < 2**26


def test_a_long_text_in_every_row(place, columns):
    """A dictionary holds it once: 40 GB from a megabyte."""
    index = pa.array(np.zeros(40_000, np.int32))
    text = pa.DictionaryArray.from_arrays(index, ["x" * 2**20])
    write(place / FILE, {"child_id": text}, compression="zstd", dictionary_pagesize_limit=2**22, store_schema=False)
    assert (place / FILE).stat().st_size < 2**21
    outcome = call("show", "run")
    assert_clean(outcome)
    assert outcome.memory < 2**29
