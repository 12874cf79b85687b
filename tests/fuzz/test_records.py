"""Shards of records whose manifest is signed and wrong, or vouches for what is none; and tables that are none."""

from __future__ import annotations

import hashlib
import json

import numpy as np
import pyarrow as pa
import pytest
from damages import BYTES, PLACES, TEXTS
from program import assert_clean, call
from test_shards import arrow_file, sign

ROWS, SHARD = 24, "shard-00000.arrow"
USERS = """
from torch import nn

def net():
    return nn.Linear(3, 1)
"""
CONFIG = """
[parent]
source = "module"
name = "fuzzed_regression:net"
[data]
path = "records"
[task]
name = "regression"
[mutation]
parts = 2
[search]
children = 2
[ensemble]
size = 2
[compute]
backend = "local"
workers = 1
"""
RUN = ["run", "regression.toml", "--out", "new"]


@pytest.fixture(scope="session")
def table():
    rows = np.random.default_rng(0).normal(size=(ROWS, 4)).tolist()
    return "\n".join(["a,b,c,y", *(",".join(map(str, row)) for row in rows), ""])


@pytest.fixture
def records(tmp_path, monkeypatch, table):
    (tmp_path / "fuzzed_regression.py").write_text(USERS)
    (tmp_path / "regression.toml").write_text(CONFIG)
    (tmp_path / "t.csv").write_text(table)
    monkeypatch.chdir(tmp_path)
    outcome = call("data", "ingest", "t.csv", "records", "--for", "regression.toml", "--target", "y")
    assert outcome.code == 0, outcome.errors
    return tmp_path


def test_a_run_ends_well_on_good_records(records, good):
    good(*RUN)


def columns(**changed):
    return lambda values: values["columns"].update(changed)


def top(**changed):
    return lambda values: values.update(changed)


SIGNED = {
    "a shape of billions": columns(input={"type": "float32", "shape": [2**31, 2**31]}),
    "a shape below zero": columns(input={"type": "float32", "shape": [-3]}),
    "another shape": columns(input={"type": "float32", "shape": [4]}),
    "a shape of as many bytes": columns(input={"type": "uint8", "shape": [12]}),
    "another type": columns(input={"type": "object", "shape": [3]}),
    "words": columns(input={"type": "string", "shape": None}),
    "an image of one side": columns(image={"type": "uint8", "shape": [4]}),
    "a column that is not there": columns(more={"type": "int64", "shape": None}),
    "no columns": top(columns={}),
    "no target": lambda values: values["columns"].pop("target"),
    "another task": top(task="multi-label"),
    "rows without end": top(rows=10**15),
    "read that is no object": top(read=[1]),
    "another format": top(format=7),
    "the older format": top(format=1),
    "a path upwards": lambda values: values["shards"][0].update(file="../x.arrow"),
}


@pytest.mark.parametrize("change", SIGNED)
def test_a_manifest_that_is_signed_and_wrong(records, change):
    path = records / "records" / "manifest.json"
    values = json.loads(path.read_bytes())
    SIGNED[change](values)
    sign(path, values)
    for command in (["data", "show", "records"], RUN):
        assert_clean(call(*command), may_be_good=command is not RUN)
    assert not (records / "new").exists()


def good_columns():
    return {
        "input": pa.array([bytes(12)] * ROWS, pa.binary(12)),
        "target": pa.array([bytes(4)] * ROWS, pa.binary(4)),
        "source": pa.array([f"record/{n}" for n in range(ROWS)]),
    }


CONTENTS = {
    "no input": lambda: arrow_file({key: one for key, one in good_columns().items() if key != "input"}),
    "another order": lambda: arrow_file(dict(reversed(good_columns().items()))),
    "fewer rows": lambda: arrow_file({key: one[:3] for key, one in good_columns().items()}),
    "empty cells": lambda: arrow_file(good_columns() | {"input": pa.array([None] * ROWS, pa.binary(12))}),
    "numbers": lambda: arrow_file(good_columns() | {"target": pa.array([1.0] * ROWS)}),
    "compressed": lambda: arrow_file(good_columns(), compression="zstd"),
    "NaN": lambda: arrow_file(good_columns() | {"target": pa.array([b"\0\0\xc0\x7f"] * ROWS, pa.binary(4))}),
    "no Arrow": lambda: b"PK\3\4" + bytes(3000),
}


@pytest.mark.parametrize("name", CONTENTS)
def test_a_shard_that_its_manifest_vouches_for_and_is_none(records, name):
    content, path = CONTENTS[name](), records / "records" / "manifest.json"
    (records / "records" / SHARD).write_bytes(content)
    values = json.loads(path.read_bytes())
    values["shards"][0].update(bytes=len(content), sha256=hashlib.sha256(content).hexdigest())
    sign(path, values)
    outcome = call(*RUN)
    assert_clean(outcome)
    assert not (records / "new").exists() or name == "NaN"


@pytest.mark.parametrize("suffix", ["csv", "tsv", "jsonl", "parquet"])
@pytest.mark.parametrize("damage", [*PLACES, *BYTES, *TEXTS])
def test_a_table_that_is_none(tmp_path, monkeypatch, table, suffix, damage):
    monkeypatch.chdir(tmp_path)
    (tmp_path / f"t.{suffix}").write_text(table)
    (PLACES | BYTES | TEXTS)[damage](tmp_path / f"t.{suffix}")
    outcome = call("data", "ingest", f"t.{suffix}", "new", "--task", "regression", "--target", "y")
    cut = suffix == "csv" and damage.startswith("cut")
    assert_clean(outcome, may_be_good=cut or "flipped" in damage)
    assert outcome.code == 0 or not list(tmp_path.glob("*new*"))
