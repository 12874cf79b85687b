"""A shard is the file that Arrow writes of the same rows; whole, or not there."""

from __future__ import annotations

import hashlib
import io

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from evoray.data import ArrowDataset, ImageTransform
from evoray.ingest.ingest import ingest_dataset
from evoray.ingest.shard_file import BATCH_ROWS, ShardFile


def rows(count):
    images = np.random.default_rng(count).integers(256, size=(count, 2, 3, 5), dtype=np.uint8)
    return images, np.arange(count) * 7, [f"n{number:03}/bild-ü{number}.png" for number in range(count)]


def written(path, images, labels, names):
    with ShardFile(path) as file:
        for image, label, name in zip(images, labels, names, strict=True):
            file.append(image, int(label), name)
        return file.finish()


@pytest.mark.parametrize("count", [1, 255, 256, 257, 512, 700])
def test_the_bytes_are_those_of_arrows_own_arrays(count, tmp_path):
    images, labels, names = rows(count)
    entry = written(tmp_path / "shard.arrow", images, labels, names)
    schema = pa.schema([("image", pa.binary(30)), ("label", pa.int64()), ("source", pa.string())])
    with pa.OSFile(str(tmp_path / "arrow"), "wb") as sink, pa.ipc.new_file(sink, schema) as writer:
        for at in range(0, count, BATCH_ROWS):
            part = slice(at, at + BATCH_ROWS)
            pixels = [one.tobytes() for one in images[part]]
            writer.write_batch(pa.record_batch([pixels, labels[part].tolist(), names[part]], schema=schema))
    content = (tmp_path / "shard.arrow").read_bytes()
    assert content == (tmp_path / "arrow").read_bytes()
    assert (entry.file, entry.rows, entry.bytes) == ("shard.arrow", count, len(content))
    assert entry.sha256 == hashlib.sha256(content).hexdigest()


def test_any_layout_is_stored_as_channels_first(tmp_path):
    images, labels, names = rows(300)
    turned = [np.ascontiguousarray(image.transpose(1, 2, 0)).transpose(2, 0, 1) for image in images]
    assert not turned[0].flags.c_contiguous
    first = written(tmp_path / "a.arrow", images, labels, names)
    assert written(tmp_path / "b.arrow", turned, labels, names).sha256 == first.sha256


@pytest.mark.parametrize("appended", [0, 1, 300])
def test_one_that_is_not_finished_leaves_nothing(appended, tmp_path):
    images, labels, names = rows(300)

    def fails():
        with ShardFile(tmp_path / "shard.arrow") as file:
            for number in range(appended):
                file.append(images[number], int(labels[number]), names[number])
            assert file.rows == appended
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fails()
    assert not list(tmp_path.iterdir())


def test_shards_are_batches_of_256_uncompressed(tmp_path):
    manifest = ingest_dataset(
        [(Image.new("L", (2, 2), i % 256), 0) for i in range(600)],
        tmp_path / "shards",
        ImageTransform(resize=None, crop=None, channels=1),
    )
    content = (tmp_path / "shards" / manifest.shards[0].file).read_bytes()
    file = pa.ipc.open_file(io.BytesIO(content))
    assert [file.get_batch(i).num_rows for i in range(file.num_record_batches)] == [256, 256, 88]
    assert file.schema.types == [pa.binary(4), pa.int64(), pa.string()]
    shard = ArrowDataset(tmp_path / "shards").load(0)
    assert [int(image[0, 0, 0]) for image in shard.images] == [int(s[7:]) % 256 for s in shard.sources]
    assert content.find(file.read_all().column("image").chunk(0).buffers()[1].to_pybytes()) > 0
