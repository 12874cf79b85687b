from __future__ import annotations

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from evoray.errors import DataError
from evoray.ingest.sources.features import class_names, features_of, kind_of
from evoray.ingest.sources.parquet import open_parquet

PNG = b"\x89PNG" + bytes(8)


def written(path, features, labels=(1, 0)):
    table = pa.table({"image": [PNG] * len(labels), "label": list(labels), "kind": list(labels)})
    text = features if isinstance(features, str) else json.dumps({"info": {"features": features}})
    pq.write_table(table.replace_schema_metadata({"huggingface": text}), path)
    return str(path)


def classes(names):
    return {"label": {"_type": "ClassLabel", "names": names}}


def card(names):
    return [{"name": "image", "dtype": "image"}, {"name": "label", "dtype": {"class_label": {"names": names}}}]


@pytest.mark.parametrize("form", [classes, card])
@pytest.mark.parametrize(
    "names",
    [
        ["cat", "dog", "owl"],
        {"0": "cat", "1": "dog", "2": "owl"},
        {"2": "owl", "0": "cat", "1": "dog"},
        {"00": "cat", "01": "dog", "02": "owl"},
        [{"0": "cat"}, {"1": "dog"}, {"2": "owl"}],
    ],
)
def test_names_of_classes_are_read_in_each_form(form, names, tmp_path):
    source = open_parquet(written(tmp_path / "a.parquet", form(names)))
    assert source.classes == ("cat", "dog", "owl")
    assert list(source.labels) == [1, 0] and "labels from label" in source.notes[0]


def test_more_than_ten_names_are_ordered_as_numbers(tmp_path):
    names = {str(number): f"n{number}" for number in sorted(range(12), key=str)}
    source = open_parquet(written(tmp_path / "a.parquet", classes(names), (10, 2)))
    assert [source.classes[label] for label in source.labels] == ["n10", "n2"]


@pytest.mark.parametrize(
    "names",
    [{"0": "cat", "2": "dog"}, {"1": "cat", "2": "dog"}, {"cat": 0, "dog": 1}, {"0": "a", "00": "b"}, "cat, dog"],
)
def test_names_that_are_not_of_each_number_are_refused(names, tmp_path):
    with pytest.raises(DataError, match=r"a\.parquet: its metadata has names of classes for .*Write a list of names"):
        open_parquet(written(tmp_path / "a.parquet", classes(names)))


@pytest.mark.parametrize("names", [None, [], {}, ""])
def test_a_class_label_without_names_leaves_the_numbers(names, tmp_path):
    assert open_parquet(written(tmp_path / "a.parquet", classes(names))).classes == ("0", "1")


def test_metadata_with_a_number_twice_is_refused(tmp_path):
    text = '{"info": {"features": {"label": {"_type": "ClassLabel", "names": {"0": "a", "1": "b", "1": "c"}}}}}'
    with pytest.raises(DataError, match=r"a\.parquet, its metadata: the key 1 stands twice"):
        open_parquet(written(tmp_path / "a.parquet", text))


@pytest.mark.parametrize(
    ("feature", "kind"), [({"_type": "Image"}, "Image"), ({}, ""), (None, ""), ([1], ""), ({"_type": 3}, "3")]
)
def test_the_kind_of_a_feature_of_any_shape(feature, kind):
    assert kind_of(feature) == kind
    assert class_names(feature, "x") is None


def test_a_schema_without_metadata_describes_nothing():
    assert features_of(pa.schema([("a", pa.int64())]), "x") == {}


@pytest.mark.parametrize(
    ("names", "labels", "expected"),
    [
        (["cat", "dog"], ("dog", "cat"), [1, 0]),
        (["dog", "cat"], ("dog", "cat"), [0, 1]),
        (["cat", "dog"], ("1", "0"), [1, 0]),
        (["1", "0"], ("1", "0"), [0, 1]),  # names come first, as in datasets
        (["1", "0"], (1, 0), [1, 0]),
    ],
)
def test_labels_may_be_the_names_themselves(names, labels, expected, tmp_path):
    source = open_parquet(written(tmp_path / "a.parquet", classes(names), labels))
    assert (source.classes, list(source.labels)) == (tuple(names), expected)


def test_a_name_that_is_none_of_the_metadatas_is_refused(tmp_path):
    with pytest.raises(DataError, match="row 0 of column label has the label 'cow', beyond the 2 classes"):
        open_parquet(written(tmp_path / "a.parquet", classes(["cat", "dog"]), ("cow", "cat")))
