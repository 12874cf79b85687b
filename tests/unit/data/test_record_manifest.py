from __future__ import annotations

import json

import pytest

from evoray.data.manifest import ShardEntry
from evoray.data.record_manifest import RecordManifest
from evoray.data.records import Column
from evoray.errors import DataError


def manifest(**changed):
    columns = {"input": Column(type="float32", shape=(3,)), "target": Column(type="float32", shape=(1,))}
    entry = ShardEntry(file="shard-00000.arrow", rows=4, bytes=100, sha256="0" * 64)
    values = {"task": "regression", "columns": columns, "target": "target", "order_seed": 0, "rows": 4}
    return RecordManifest(**{**values, "shards": (entry,), **changed})


def test_it_comes_back_and_its_digest_is_over_all_of_it():
    made = manifest(read={"input": ["a", "b", "c"]})
    values = json.loads(made.to_json())
    assert values.pop("sha256") == made.digest
    again = RecordManifest.of(values, "x")
    assert (again, again.digest, again.image_shape) == (made, made.digest, (0, 0, 0))
    assert manifest(read={"input": ["a", "c", "b"]}).digest != made.digest


def test_images_among_its_columns_have_a_shape():
    image = Column(type="uint8", shape=(3, 8, 9))
    made = manifest(columns={"image": image, "target": Column(type="float32", shape=())})
    assert made.image_shape == (3, 8, 9)
    assert made.records.columns == {"image": "fixed_size_binary", "target": "float", "source": "string"}


TWO = tuple(ShardEntry(file=f"{n}.arrow", rows=2, bytes=9, sha256="0" * 64) for n in range(2))


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"target": "label"}, "its target label is no column"),
        ({"rows": 5}, "rows do not add up"),
        ({"shards": TWO}, "two shards have one sha256"),
        ({"classes": ["a", "a"]}, "two classes have one name"),
        ({"columns": {"image": {"type": "uint8", "shape": [4]}, "target": {"type": "int64"}}}, "no uint8"),
        ({"columns": {"image": {"type": "float32", "shape": [1, 2, 2]}, "target": {"type": "int64"}}}, "no uint8"),
        ({"columns": {"source": {"type": "string"}, "target": {"type": "int64"}}}, "source is the records' names"),
        ({"columns": {"target": {"type": "complex"}}}, "type"),
        ({"columns": {"target": {"type": "int64", "shape": [-1]}}}, "shape"),
        ({"format": 3}, "format"),
        ({"more": 1}, "more"),
        ({"columns": []}, "columns"),
    ],
)
def test_what_does_not_agree_with_itself_is_refused(changed, says):
    values = manifest().model_dump(mode="json")
    values.update(
        {key: [one.model_dump() for one in value] if key == "shards" else value for key, value in changed.items()}
    )
    with pytest.raises(DataError, match=f"place: damaged .*{says}.*Ingest"):
        RecordManifest.of(values, "place")
