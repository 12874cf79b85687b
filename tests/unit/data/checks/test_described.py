from __future__ import annotations

import pytest
from pictures import GREY, grey_records

from evoray.data.checks.described import check_columns, columns_of, described
from evoray.data.manifest import ShardEntry
from evoray.data.record_manifest import RecordManifest
from evoray.data.records import Column
from evoray.errors import DataError
from evoray.ingest.ingest import ingest_dataset


def records(target=(1,), inputs=("a", "b"), **more):
    columns = {"input": Column(type="float32", shape=(len(inputs),)), "target": Column(type="float32", shape=target)}
    entry = ShardEntry(file="0.arrow", rows=4, bytes=100, sha256="0" * 64)
    read = {"input": list(inputs), "target": ["y"], **more}
    return RecordManifest(
        task="regression", columns=columns, target="target", order_seed=0, rows=4, shards=(entry,), read=read
    )


def test_records_say_what_their_columns_are():
    found = dict(described(records()))
    assert (found["records"], found["input"], found["read: input"]) == ("4 for regression", "float32, 2", "a, b")
    assert "images" not in found


def test_images_say_their_shape_and_classes(tmp_path):
    manifest = ingest_dataset(grey_records(6, side=2), tmp_path / "shards", GREY)
    found = dict(described(manifest))
    assert found["images"] == "6 of 1x2x2" and found["classes"].startswith(f"{len(manifest.classes)}: ")
    assert columns_of(manifest) == columns_of(None) == {}


@pytest.mark.parametrize(
    ("other", "named"),
    [
        (records(target=(2,)), "target is float32, 2 of y, and of data.path float32, 1 of y"),
        (records(inputs=("b", "a")), "input is float32, 2 of b, a, and of data.path float32, 2 of a, b"),
        (records(inputs=("a",)), "input is float32, 1 of a"),
        (records(tokenizer="x"), "tokenizer is x, and of data.path missing"),
    ],
)
def test_test_records_are_of_the_same_columns(other, named):
    with pytest.raises(DataError, match=rf"test_path: {named}.*--input and --target"):
        check_columns(columns_of(records()), columns_of(other))


def test_where_they_are_from_may_differ():
    check_columns(columns_of(records(source="Train")), columns_of(records(source="Test")))


def test_how_many_texts_were_cut_may_differ():
    check_columns(columns_of(records(cut=900)), columns_of(records(cut=1809)))


@pytest.mark.parametrize("other", [[53, "record/0"], [48, "record/2"]])
def test_the_longest_prompt_may_be_another(other):
    check_columns(columns_of(records(longest=[53, "record/2"])), columns_of(records(longest=other)))
