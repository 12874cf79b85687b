from __future__ import annotations

import pytest

from evoray.data.reader import read_manifest
from evoray.errors import ConfigError, DataError
from evoray.ingest.options import Options
from evoray.ingest.records.ingest import _origin, ingest_records, wanted_of
from evoray.ingest.records.writing import Wanted
from evoray.runtime.progress import Progress

USERS = """
import torch
from torch.utils.data import TensorDataset
from evoray.data.schema import Schema
from evoray.tasks.regression import Regression
from evoray.tasks.image_classification import ImageClassification

class Mine(Regression):
    pass

class Pictures(ImageClassification):
    pass

class Words(Regression):
    schema = Schema(task="regression", columns={"target": "string"}, target="target")

def pairs():
    return TensorDataset(torch.ones(5, 3), torch.arange(5.0))

def broken():
    raise RuntimeError("no such disk")
"""
CONFIG = '[parent]\nsource = "module"\nname = "a:b"\n[data]\npath = "x"\n[task]\nname = "{}"\n'


@pytest.fixture
def place(tmp_path, monkeypatch):
    (tmp_path / "recordusers.py").write_text(USERS)
    (tmp_path / "t.csv").write_text("a,b,y\n1,2,3\n4,5,6\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def of_config(place, task):
    (place / "run.toml").write_text(CONFIG.format(task))
    return Options(config=place / "run.toml", seed=3, shard_size=2)


def test_the_task_is_the_command_lines_or_the_configurations(place):
    options = of_config(place, "regression")
    assert wanted_of(options, None, (), ("y",)) == Wanted("regression", (), ("y",), 3, 2, "regression", options.config)
    assert wanted_of(options, "multi-label", ("a",), ("y",)).kind == "multi-label"
    assert wanted_of(Options(), None, (), ()) is None


@pytest.mark.parametrize(("task", "kind"), [("recordusers:Mine", "regression"), ("recordusers:Pictures", None)])
def test_a_task_of_ones_own_has_the_records_of_the_one_it_is_made_of(place, task, kind):
    found = wanted_of(of_config(place, task), None, (), ())
    assert (found and found.kind) == kind and (found is None or (found.task, found.words) == (task, False))


def test_a_task_of_ones_own_may_have_words_as_its_target(place):
    (place / "t.csv").write_text("a,said\n1,one\n4,four\n")
    wanted = wanted_of(of_config(place, "recordusers:Words"), None, (), ("said",))
    assert wanted is not None and wanted.words
    ingest_records("t.csv", place / "shards", wanted, Progress())
    manifest = read_manifest(place / "shards")
    assert manifest.columns["target"].type == "string" and manifest.columns["target"].shape is None


def test_columns_without_a_task(place):
    for options, task in ((Options(), None), (Options(), "image-classification")):
        with pytest.raises(ConfigError, match="say which task with --task"):
            wanted_of(options, task, (), ("y",))
    with pytest.raises(ConfigError, match="is none of image-classification"):
        wanted_of(Options(), "regresion", (), ("y",))


def test_a_table_and_a_dataset_become_shards(place):
    found = ingest_records("t.csv", place / "one", Wanted("regression", (), ("y",)), Progress())
    assert (found["rows"], found["task"], found["digest"]) == (2, "regression", read_manifest(place / "one").digest)
    found = ingest_records("recordusers:pairs", place / "two", Wanted("regression"), Progress())
    assert found["rows"] == 5 and read_manifest(place / "two").read == {"source": "TensorDataset"}


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("recordusers:broken", "recordusers:broken raised RuntimeError: no such disk"),
        ("recordusers:nothing", "has no nothing"),
        ("nosuchmodule:x", "nosuchmodule"),
        ("none.csv", r"none\.csv: cannot be read"),
        ("recordusers.py", "no table. Records are read from"),
        ("", "name the records"),
        ("a\0.csv", "name the records"),
    ],
)
def test_what_is_no_source_is_refused_and_nothing_is_written(place, source, says):
    before = set(place.iterdir())
    with pytest.raises((ConfigError, DataError), match=says):
        ingest_records(source, place / "new", Wanted("regression", (), () if ":" in source else ("y",)), Progress())
    assert {one for one in place.iterdir() if one.name != "__pycache__"} == before


def test_a_place_that_is_taken_is_said_before_anything_is_read(place):
    with pytest.raises(DataError, match="exists already"):
        ingest_records("none.csv", place, Wanted("regression", (), ("y",)), Progress())


def test_where_a_column_is_from_is_said_of_a_file_and_of_a_dataset():
    assert _origin(["a", "b"], "lines.jsonl") == "of a, b"
    assert (_origin(None, "lines.jsonl"), _origin((), "the Dataset")) == ("of lines.jsonl", "of the Dataset")
