from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from pictures import GREY, SMALL, grey_records, make_tree

from evoray.data import ArrowDataset, Remote, ShardCache, place_of, read_manifest
from evoray.errors import DataError
from evoray.ingest.ingest import ingest_dataset, ingest_folder


@pytest.fixture
def tree(tmp_path):
    return make_tree(tmp_path / "tree")


@pytest.mark.parametrize(
    "edit",
    [
        lambda values: values.update(image_shape=[3, 8, 8]),
        lambda values: values.update(classes=["class0"]),
        lambda values: (values["shards"][0].update(rows=26), values.update(rows=26)),
        lambda values: values["transform"].update(channels=2),
    ],
)
def test_an_edited_manifest_gives_no_wrong_pictures_or_labels(edit, tree, tmp_path):
    ingest_folder(tree, tmp_path / "shards", SMALL, workers=1)
    path = tmp_path / "shards" / "manifest.json"
    values = json.loads(path.read_text())
    edit(values)
    path.write_text(json.dumps(values))
    with pytest.raises(DataError, match=r"manifest\.json"):
        ArrowDataset(tmp_path / "shards").load(0)


def grey_shards(path, count=600, **options):
    records = grey_records(count, side=2)
    return records, ingest_dataset(records, path, GREY, **options)


def test_a_place_is_a_directory_or_a_uri(tmp_path):
    assert place_of("some/shards") == Path("some/shards")
    remote = place_of(f"file://{tmp_path}")
    assert isinstance(remote, Remote) and str(remote) == f"file://{tmp_path}"


def test_several_batches_of_a_file_are_one_array(tmp_path):
    """A file has 256 images a batch."""
    records, manifest = grey_shards(tmp_path / "shards")
    dataset = ArrowDataset(tmp_path / "shards")
    shard = dataset.load(0)
    assert (dataset.shard_rows, dataset.image_shape, dataset.digest) == ((600,), (1, 2, 2), manifest.digest)
    assert (shard.index, shard.images.shape, shard.images.dtype) == (0, (600, 1, 2, 2), np.uint8)
    assert shard.labels.dtype == np.int64
    for image, label, source in zip(shard.images, shard.labels, shard.sources, strict=True):
        picture, expected = records[int(source.removeprefix("record/"))]
        assert label == expected and np.array_equal(image[0], np.asarray(picture))


def test_one_batch_is_a_view_of_the_file_that_nobody_can_write_to(tmp_path):
    grey_shards(tmp_path / "shards", count=10)
    images = ArrowDataset(tmp_path / "shards").load(0).images
    assert images.base is not None and not images.flags.writeable
    with pytest.raises(ValueError, match="read-only"):
        images[0] = 0


def test_a_shard_outlives_its_dataset_and_its_file(tmp_path):
    records, _ = grey_shards(tmp_path / "shards", count=10)
    shard = ArrowDataset(tmp_path / "shards").load(0)
    (tmp_path / "shards" / "shard-00000.arrow").unlink()
    first = int(shard.sources[0].removeprefix("record/"))
    assert np.array_equal(shard.images[0, 0], np.asarray(records[first][0]))


@pytest.mark.parametrize("scheme", ["", "file://"])
def test_a_shard_is_checked_when_it_is_first_read(scheme, tmp_path, monkeypatch):
    monkeypatch.setattr("evoray.data.cache.ATTEMPTS", 1)
    grey_shards(tmp_path / "shards", count=30, shard_size=10)
    dataset = ArrowDataset(place_of(f"{scheme}{tmp_path}/shards"), ShardCache(tmp_path / "cache", 10**9))
    dataset.load(0)
    path = tmp_path / "shards" / "shard-00001.arrow"
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(DataError, match=r"shard-00001\.arrow: damaged, its SHA-256 is .* and the manifest says"):
        dataset.load(1)
    assert len(dataset.load(2).labels) == 10


def test_a_missing_shard_is_named_with_what_to_do(tmp_path):
    grey_shards(tmp_path / "shards", count=10)
    (tmp_path / "shards" / "shard-00000.arrow").unlink()
    with pytest.raises(DataError, match=r"shard-00000\.arrow: cannot be read .*ingest the images again"):
        ArrowDataset(tmp_path / "shards").load(0)


def test_a_manifest_is_read_here_and_at_a_uri(tmp_path):
    _, manifest = grey_shards(tmp_path / "shards", count=10)
    assert read_manifest(tmp_path / "shards") == read_manifest(place_of(f"file://{tmp_path}/shards")) == manifest
    with pytest.raises(DataError, match=r"no manifest\.json there"):
        read_manifest(place_of(f"file://{tmp_path}"))
