"""A run that was stopped, with damaged files of its own or whole ones of another run."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import zipfile

import numpy as np
import pyarrow as pa
import pytest
from damages import BYTES, PLACES, TEXTS, VALUES, set_value, without
from program import assert_clean, call

from evoray.storage.directory import RunDirectory, pack_arrays
from evoray.storage.journal import SCHEMA, Journal

RESUME = ["run", "run.toml", "--out", "stopped", "--resume"]


@pytest.fixture(autouse=True)
def no_page(monkeypatch):
    """Drawing takes longer than the run."""
    monkeypatch.setattr("evoray.evolution.write_page", lambda directory: None)


@pytest.fixture
def segment(place):
    return sorted((place / "stopped" / "journal").glob("*.arrow"))[-1]


def rename(path):
    """A name that vouches for what is in it."""
    digest = hashlib.sha256(path.read_bytes()).hexdigest()[:16]
    return path.rename(path.with_name(f"{path.name[:8]}-{digest}.arrow"))


def refused(place, *words):
    outcome = call(*RESUME)
    assert_clean(outcome)
    assert all(word in outcome.message for word in words), outcome.message
    assert not (place / "stopped" / "summary.json").exists()
    return outcome


def test_a_stopped_run_goes_on(place, good):
    good(*RESUME, "--json")
    before, after = (json.loads((place / name / "summary.json").read_bytes()) for name in ("run", "stopped"))
    assert before["ensemble"] == after["ensemble"]


@pytest.mark.parametrize("damage", [*PLACES, *BYTES])
def test_a_damaged_segment(place, segment, damage):
    (PLACES | BYTES)[damage](segment)
    if damage in ("a link to itself", "a link to nothing"):  # nothing is there: what it held is evaluated again
        assert_clean(call(*RESUME), may_be_good=True)
    else:
        refused(place, segment.name)


BEGINNINGS = [("config.json", one) for one in (*PLACES, *TEXTS)] + [("journal/identity.json", one) for one in BYTES]


@pytest.mark.parametrize(("name", "damage"), BEGINNINGS)
def test_a_damaged_beginning(place, name, damage):
    (PLACES | BYTES | TEXTS)[damage](place / "stopped" / name)
    refused(place)


@pytest.mark.parametrize("keys", ["run_id", "parent", "space", "data", "data.select", "config", "config.seed", "torch"])
@pytest.mark.parametrize("value", ["a text", "an object", "null"])
def test_another_identity(place, keys, value):
    set_value(place / "stopped" / "journal" / "identity.json", keys, VALUES[value])
    harmless = (keys, value) in {("config", "an object"), ("config", "null"), ("config.seed", "null")}
    assert_clean(call(*RESUME), may_be_good=harmless)


def records(*rows, schema=SCHEMA, **options):
    columns = zip(zip(*rows, strict=True), schema.types, strict=True)
    table = pa.Table.from_arrays([pa.array(list(column), kind) for column, kind in columns], schema=schema)
    sink = io.BytesIO()
    with pa.ipc.new_file(sink, schema, options=pa.ipc.IpcWriteOptions(**options)) as writer:
        writer.write_table(table)
    return sink.getvalue()


def bomb():
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("sums.npy", bytes(2**26))
    return sink.getvalue()


def claims(rows):
    """An array of so many rows, and none of them there."""
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w") as archive:
        header = io.BytesIO()
        np.lib.format.write_array_header_1_0(header, {"descr": "<f8", "fortran_order": False, "shape": (rows,)})
        archive.writestr("sums.npy", header.getvalue())
    return sink.getvalue()


KEY = ("g0000/child", "g0000/c0000", 0)
OTHER = pa.schema([("stage", pa.string()), ("item", pa.string()), ("shard", pa.string()), ("payload", pa.binary())])
SEGMENTS = {
    "other columns": lambda: records(("a", "b", "c", b""), schema=OTHER),
    "empty cells": lambda: records(("g0000/child", None, 0, b"")),
    "no payload": lambda: records((*KEY, None)),
    "compressed": lambda: records((*KEY, b"x" * 1000), compression="zstd"),
    "a shard of nobody": lambda: records(("g0000/child", "g0000/c0000", 2**62, b"")),
    "no Arrow": lambda: b"{}",
    "a text of no UTF-8": lambda: records((*KEY, b"mark")).replace(b"g0000/c0000", b"g0000/c\xff\xff\xff\xff"),
}


@pytest.mark.parametrize("name", SEGMENTS)
def test_a_segment_that_its_name_vouches_for_and_is_none(place, segment, name):
    segment.write_bytes(SEGMENTS[name]())
    refused(place, rename(segment).name)


PAYLOADS = {
    "nothing": b"",
    "no archive": b"PK\3\4" + bytes(100),
    "other arrays": pack_arrays({"x": np.zeros(3)}),
    "a bomb": bomb(),
    "more rows than there are": claims(10**12),
    "a text": b"\x1b[31mred",
}


@pytest.mark.parametrize("name", PAYLOADS)
def test_a_record_that_is_none(place, segment, name):
    known = Journal(RunDirectory("stopped")).read()
    stage = next(stage for stage in known._stages if "child" in stage)
    item, shard, _ = next(known.take(stage))
    for path in segment.parent.glob("*.arrow"):
        path.unlink()
    segment.write_bytes(records((stage, item, shard, PAYLOADS[name])))
    rename(segment)
    refused(place, "journal")


@pytest.fixture(scope="module")
def other(material, tmp_path_factory):
    """The same run under another seed."""
    import os
    from pathlib import Path

    before, folder = Path.cwd(), tmp_path_factory.mktemp("other")
    os.chdir(material)
    try:
        outcome = call("run", "run.toml", "--out", folder / "run", "--set", "seed=1")
    finally:
        os.chdir(before)
    assert outcome.code == 0, outcome.errors
    return folder / "run"


def test_a_segment_of_another_run_is_named(place, other):
    found = sorted((other / "journal").glob("*.arrow"))[0]
    shutil.copy(found, place / "stopped" / "journal" / found.name.replace("00000000", "00000777"))
    run_id = json.loads((other / "journal" / "identity.json").read_bytes())["run_id"]
    refused(place, "00000777", "of another run", run_id)


def test_the_whole_journal_of_another_run_is_refused(place, other):
    shutil.rmtree(place / "stopped" / "journal")
    shutil.copytree(other / "journal", place / "stopped" / "journal")
    refused(place, "journal/ is of another run", "seed was 1", "config.json says 0")


def test_an_old_journal_names_no_run_and_goes_on(place, good):
    """As it was written before segments held the run's id."""
    folder = place / "stopped" / "journal"
    known = Journal(RunDirectory("stopped")).read()
    rows = [(stage, *row) for stage in list(known._stages) for row in known.take(stage)]
    for path in folder.glob("*.arrow"):
        path.unlink()
    (folder / "00000000-x.arrow").write_bytes(records(*rows))
    rename(folder / "00000000-x.arrow")
    without(folder / "identity.json", "config")
    good(*RESUME)


@pytest.mark.parametrize("name", ["x.arrow", "notes.txt", "99999999-x.arrow", "\x1b[31m.arrow", "journal.arrow"])
def test_what_lies_in_a_journal_and_is_no_segment(place, name):
    (place / "stopped" / "journal" / name).write_bytes(b"mine")
    assert_clean(call(*RESUME), may_be_good=name == "notes.txt")
