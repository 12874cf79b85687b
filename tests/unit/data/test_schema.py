"""What a manifest says of the task that its shards were made for; older ones say nothing and stay what they were."""

from __future__ import annotations

import json

import pytest

from evoray.config import TaskConfig
from evoray.data import ImageTransform, Manifest
from evoray.data.manifest import ShardEntry
from evoray.data.schema import DEFAULT_TASK, Schema
from evoray.errors import DataError

DIGEST = "ac17b2f6e6be0cc1ca24cb0b49ab5f3bd1f0cbc8288a194442fc1f737fa9baf7"
"""Of ``made()``, computed by the program as it was before manifests named a task."""


def made(**changes):
    return Manifest(
        image_shape=(3, 16, 16),
        classes=("a", "b"),
        transform=ImageTransform(resize=20, crop=16, depth="clip"),
        decoder="Pillow 11",
        order_seed=0,
        rows=3,
        shards=(ShardEntry(file="shard-00000.arrow", rows=3, bytes=2500, sha256="0" * 64),),
        **changes,
    )


def test_a_manifest_without_a_task_keeps_its_digest_and_text():
    old = made()
    assert old.digest == DIGEST
    assert "records" not in json.loads(old.to_json())
    assert Manifest.parse(old.to_json().encode(), "manifest.json") == old


def test_the_task_and_its_schema_are_written_and_read_back():
    schema = Schema(
        task="image-classification", columns={"image": "fixed_size_binary", "label": "int64"}, target="label"
    )
    text = made(records=schema).to_json()
    assert json.loads(text)["records"]["columns"]["label"] == "int64"
    assert Manifest.parse(text.encode(), "manifest.json").records == schema
    assert json.loads(text)["sha256"] != DIGEST


def test_a_schema_that_was_edited_is_damage():
    schema = Schema(task="image-classification", columns={"image": "fixed_size_binary"}, target="image")
    text = made(records=schema).to_json().replace("fixed_size_binary", "string")
    with pytest.raises(DataError, match="not what was written"):
        Manifest.parse(text.encode(), "manifest.json")


def test_records_that_say_nothing_are_what_a_configuration_that_says_nothing_asks_for():
    assert TaskConfig().name == DEFAULT_TASK
