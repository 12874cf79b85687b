"""Arrow files are read where they are, or refused before anything is unpacked."""

from __future__ import annotations

import struct

import pyarrow as pa
import pytest

from evoray.runtime.arrow import read_arrow

SCHEMA = {"n": pa.int64(), "name": pa.types.is_string}
GOOD = {"n": [1, 2, 3], "name": ["a", "b", "c"]}


def written(columns, batches=1, **options):
    table = pa.table(columns)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, table.schema, options=pa.ipc.IpcWriteOptions(**options)) as writer:
        for _ in range(batches):
            writer.write_table(table)
    return sink.getvalue()


@pytest.mark.parametrize("batches", [0, 1, 3])
def test_a_good_file_is_what_pyarrow_reads(batches):
    buffer = written(GOOD, batches)
    assert read_arrow(buffer, SCHEMA).equals(pa.ipc.open_file(buffer).read_all())


def test_nothing_is_copied(tmp_path):
    (tmp_path / "it").write_bytes(written({"n": range(200_000)}))
    before = pa.total_allocated_bytes()
    with pa.memory_map(str(tmp_path / "it")) as mapped:
        table = read_arrow(mapped, {"n": pa.int64()})
    assert table["n"][-1].as_py() == 199_999
    assert pa.total_allocated_bytes() - before < 10_000


@pytest.mark.parametrize(
    "columns",
    [
        {"n": [1]},
        {"name": ["a"], "n": [1]},
        {"n": ["a"], "name": ["a"]},
        {"n": [1], "name": [1]},
        {"n": [1], "name": ["a"], "more": [1]},
        {"n": [1, None], "name": ["a", "b"]},
        {"n": [1, 2], "name": ["a", None]},
        {"n": [1], "name": pa.array(["a"]).dictionary_encode()},
    ],
)
def test_other_columns_are_refused(columns):
    with pytest.raises(ValueError, match=r"columns are|empty cells|does not write"):
        read_arrow(written(columns), SCHEMA)


@pytest.mark.parametrize("codec", ["zstd", "lz4"])
def test_compressed_batches_are_refused_unread(codec):
    zeros = written({"n": [0] * 2_000_000, "name": [""] * 2_000_000}, compression=codec)
    before = pa.total_allocated_bytes()
    with pytest.raises(ValueError, match="compressed"):
        read_arrow(zeros, SCHEMA)
    assert pa.total_allocated_bytes() - before < 2**20


def test_whatever_is_cut_or_flipped_raises_and_nothing_else():
    content = written(GOOD, 2).to_pybytes()
    cut = [content[:length] for length in range(0, len(content), 13)]
    flipped = [content[:at] + bytes([content[at] ^ 0xFF]) + content[at + 1 :] for at in range(0, len(content), 5)]
    refused = 0
    for damaged in (*cut, *flipped):
        try:
            read_arrow(pa.py_buffer(damaged), SCHEMA)
        except (ValueError, OSError, struct.error, pa.ArrowException, OverflowError):
            refused += 1
    assert refused > (len(cut) + len(flipped)) / 3
