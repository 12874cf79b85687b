"""Manifests, signed with their own digest or not, and shards that are not what they say."""

from __future__ import annotations

import hashlib
import json
import shutil

import numpy as np
import pyarrow as pa
import pytest
from damages import BYTES, PLACES, TEXTS
from program import assert_clean, call

ROWS, SIDE = 12, 4
SHARD = "shard-00000.arrow"
RUN = ["run", "run.toml", "--out", "new"]


def sign(path, values):
    """Writes a manifest as EvoRay writes it, with a digest that is right."""
    values.pop("sha256", None)
    text = json.dumps(values, sort_keys=True, separators=(",", ":"))
    values["sha256"] = hashlib.sha256(text.encode()).hexdigest()
    path.write_text(json.dumps(values, indent=1) + "\n")


def signed(place, change):
    path = place / "shards" / "manifest.json"
    values = json.loads(path.read_bytes())
    change(values)
    sign(path, values)


def test_the_commands_end_well_on_good_shards(place, good):
    for arguments in (["data", "show", "shards"], ["data", "verify", "shards"], RUN):
        good(*arguments)


@pytest.mark.parametrize("damage", [*PLACES, *BYTES, *TEXTS])
@pytest.mark.parametrize("command", ["show", "verify"])
def test_a_damaged_manifest(place, command, damage):
    (PLACES | BYTES | TEXTS)[damage](place / "shards" / "manifest.json")
    outcome = call("data", command, "shards")
    assert_clean(outcome)
    assert "manifest.json" in outcome.message


def first(**changed):
    return lambda values: values["shards"][0].update(changed)


def top(**changed):
    return lambda values: values.update(changed)


def whole_number_of_rows(values):
    values["shards"][0]["rows"] = values["rows"] = 10**15
    values["shards"] = values["shards"][:1]


SIGNED = {
    "a path upwards": first(file="../shard-00000.arrow"),
    "an absolute path": first(file="/etc/passwd"),
    "a folder below": first(file="x/shard-00000.arrow"),
    "a drive": first(file="C:shard-00000.arrow"),
    "backslashes": first(file="..\\shard-00000.arrow"),
    "a NUL": first(file="shard\0.arrow"),
    "an escape": first(file="shard\x1b[31m.arrow"),
    "no name": first(file=""),
    "the folder": first(file="."),
    "a long name": first(file="x" * 5000),
    "one shard twice": lambda values: values["shards"].__setitem__(1, values["shards"][0]),
    "no shards": lambda values: values.update(shards=[], rows=1),
    "rows without end": whole_number_of_rows,
    "rows of nothing": first(rows=0),
    "rows that are no number": first(rows="many"),
    "bytes without end": first(bytes=10**30),
    "fewer bytes than images": first(bytes=3),
    "a digest that is a path": first(sha256="../../x"),
    "a digest in capitals": first(sha256="A" * 64),
    "other bytes": first(bytes=10**6),
    "a shape of billions": top(image_shape=[3, 2**31, 2**31]),
    "a shape of nothing": top(image_shape=[1, 0, 4]),
    "a shape of two": top(image_shape=[4, 4]),
    "classes twice": top(classes=["a", "a", "b"]),
    "classes that are numbers": top(classes=[1, 2, 3]),
    "a megabyte of a class": top(classes=["a" * 2**20, "b", "c"]),
    "more than a million classes": lambda values: values.update(classes=[f"c{number}" for number in range(10**6 + 1)]),
    "another format": top(format=2),
    "another key": top(more=1),
    "no transform": top(transform=None),
    "a transform of nothing": top(transform={"resize": "x"}),
    "five channels": lambda values: values["transform"].update(channels=5),
    "unreadable without end": top(unreadable=[{"source": "x" * 10**5, "error": "e"}]),
    "records of another kind": top(records=7),
}


@pytest.mark.parametrize("change", SIGNED)
def test_a_manifest_that_is_signed_and_wrong(place, change):
    signed(place, SIGNED[change])
    command = RUN if change == "other bytes" else ["data", "show", "shards"]
    assert_clean(call(*command))
    assert not (place / "new").exists()


@pytest.mark.parametrize("change", ["a path upwards", "rows without end", "a shape of billions", "one shard twice"])
def test_a_run_does_not_begin_on_it(place, change):
    signed(place, SIGNED[change])
    assert_clean(call(*RUN))
    assert_clean(call("run", "run.toml", "--out", "new", "--set", f"data.path=file://{place}/shards"))
    assert not (place / "new").exists()


@pytest.mark.parametrize("damage", [*PLACES, *BYTES])
def test_a_damaged_shard(place, damage):
    (PLACES | BYTES)[damage](place / "shards" / SHARD)
    for command in (["data", "verify", "shards"], RUN):
        outcome = call(*command)
        assert_clean(outcome)
        assert SHARD in outcome.message
    assert not (place / "new").exists()


def test_a_shard_that_is_a_link_out_of_its_folder(place):
    shutil.move(place / "shards" / SHARD, place / "elsewhere.arrow")
    (place / "shards" / SHARD).symlink_to(place / "elsewhere.arrow")
    for command in (["data", "verify", "shards"], RUN):
        outcome = call(*command)
        assert_clean(outcome)
        assert "link" in outcome.message


def good_columns():
    images = pa.array([bytes(SIDE * SIDE)] * ROWS, pa.binary(SIDE * SIDE))
    return {
        "image": images,
        "label": pa.array(np.arange(ROWS) % 3),
        "source": pa.array([f"record/{n}" for n in range(ROWS)]),
    }


def arrow_file(columns, **options):
    table = pa.table(columns)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, table.schema, options=pa.ipc.IpcWriteOptions(**options)) as writer:
        writer.write_table(table)
    return sink.getvalue().to_pybytes()


def bomb():
    """A quarter of a gigabyte of zeros in less than a megabyte."""
    side = 2**28 // ROWS
    zeros = pa.FixedSizeBinaryArray.from_buffers(pa.binary(side), ROWS, [None, pa.py_buffer(bytes(side * ROWS))])
    return arrow_file(good_columns() | {"image": zeros}, compression="zstd")


CONTENTS = {
    "other columns": lambda: arrow_file({"a": [1], "b": [2]}),
    "no images": lambda: arrow_file({key: one for key, one in good_columns().items() if key != "image"}),
    "columns in another order": lambda: arrow_file(dict(reversed(good_columns().items()))),
    "labels that are words": lambda: arrow_file(good_columns() | {"label": ["a"] * ROWS}),
    "labels of 32 bits": lambda: arrow_file(good_columns() | {"label": pa.array([0] * ROWS, pa.int32())}),
    "labels that are missing": lambda: arrow_file(good_columns() | {"label": pa.array([None] * ROWS, pa.int64())}),
    "labels below zero": lambda: arrow_file(good_columns() | {"label": pa.array([-1] * ROWS)}),
    "labels beyond the classes": lambda: arrow_file(good_columns() | {"label": pa.array([3] * ROWS)}),
    "images of another size": lambda: arrow_file(good_columns() | {"image": pa.array([b"12"] * ROWS, pa.binary(2))}),
    "images of any size": lambda: arrow_file(good_columns() | {"image": pa.array([b"12"] * ROWS)}),
    "images that are missing": lambda: arrow_file(good_columns() | {"image": pa.array([None] * ROWS, pa.binary(16))}),
    "fewer rows": lambda: arrow_file({key: one[:3] for key, one in good_columns().items()}),
    "no rows": lambda: arrow_file({key: one[:0] for key, one in good_columns().items()}),
    "compressed": lambda: arrow_file(good_columns(), compression="zstd"),
    "compressed otherwise": lambda: arrow_file(good_columns(), compression="lz4"),
    "a dictionary": lambda: arrow_file(good_columns() | {"source": good_columns()["source"].dictionary_encode()}),
    "no Arrow": lambda: b"PK\3\4" + bytes(3000),
    "the first bytes alone": lambda: arrow_file(good_columns())[:8],
    "half a message": lambda: arrow_file(good_columns())[:300],
    "a damaged header": lambda: arrow_file(good_columns()).replace(b"\x10\x00\x00\x00\x00\x00\x0a\x00", b"\xff" * 8),
    "a length without end": lambda: arrow_file(good_columns())[:12] + b"\xff\xff\xff\x7f" + bytes(3000),
}


@pytest.mark.parametrize("name", CONTENTS)
def test_a_shard_that_its_manifest_vouches_for_and_is_none(place, name):
    """Bytes and digest are as the manifest says: what is inside is another thing."""
    content = CONTENTS[name]()
    (place / "shards" / SHARD).write_bytes(content)
    entry = {"bytes": max(len(content), 1), "sha256": hashlib.sha256(content).hexdigest()}
    signed(place, first(**entry))
    outcome = call(*RUN)
    assert_clean(outcome)
    assert "shard" in outcome.message
    assert not (place / "new").exists()


def test_compressed_gigabytes_are_not_unpacked(place):
    content = bomb()
    assert len(content) < 2**21
    (place / "shards" / SHARD).write_bytes(content)
    signed(place, first(bytes=len(content), sha256=hashlib.sha256(content).hexdigest()))
    outcome = call(*RUN)
    assert_clean(outcome)
    assert outcome.memory < 2**27
