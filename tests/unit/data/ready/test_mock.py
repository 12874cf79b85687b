from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evoray.data import open_dataset
from evoray.data.ready.mock import MockDataset
from evoray.errors import ConfigError


def test_mock_images_are_the_same_everywhere_and_of_any_size():
    spec = "mock:images=70,size=8,classes=5,channels=1,seed=3,shard_size=32"
    first, again = open_dataset(spec), open_dataset(spec)
    assert first.shard_rows == (32, 32, 6)
    assert np.array_equal(first.load(2).images, again.load(2).images)
    assert not np.array_equal(first.load(0).images, first.load(1).images)
    assert not np.array_equal(first.load(0).images, open_dataset(spec.replace("seed=3", "seed=4")).load(0).images)
    assert first.load(1).labels.max() < 5


def test_the_bytes_are_those_of_philox_under_seed_and_shard():
    shard = MockDataset("mock:images=10,size=3,classes=7,channels=2,seed=11,shard_size=4").load(2)
    random = np.random.Generator(np.random.Philox(key=[11, 2]))
    assert shard.labels.tolist() == random.integers(7, size=2).tolist()
    assert np.array_equal(shard.images, random.integers(256, size=(2, 2, 3, 3), dtype=np.uint8))
    assert (shard.index, shard.sources) == (2, ["mock/2/0", "mock/2/1"])


@given(st.integers(1, 200), st.integers(1, 60))
def test_shards_hold_every_image_once(images, shard_size):
    dataset = MockDataset(f"mock:images={images},size=1,shard_size={shard_size}")
    assert sum(dataset.shard_rows) == images
    assert all(rows == shard_size for rows in dataset.shard_rows[:-1]) and 1 <= dataset.shard_rows[-1] <= shard_size


def test_every_key_has_a_default():
    dataset = MockDataset("mock:")
    assert (dataset.shard_rows, dataset.image_shape, len(dataset.classes)) == ((512,), (3, 224, 224), 1000)
    assert dataset.digest == MockDataset("mock:images=512,size=224,classes=1000,channels=3,seed=0").digest


def test_the_digest_knows_no_order_of_keys_and_every_value():
    first = MockDataset("mock:images=8,size=4").digest
    assert MockDataset("mock:size=4,images=8").digest == first
    others = {MockDataset(f"mock:images=8,size=4,{key}={value}").digest for key, value in [
        ("classes", 2), ("channels", 1), ("seed", 1), ("shard_size", 2)
    ]}  # fmt: skip
    assert len(others | {first}) == 5


@pytest.mark.parametrize("spec", ["mock:images", "mock:images=0", "mock:colour=red", "mock:size=x"])
def test_a_malformed_mock_is_refused(spec):
    with pytest.raises(ConfigError, match="mock:"):
        open_dataset(spec)


@pytest.mark.parametrize(
    "spec", ["mock:classes=1", "mock:seed=-1", f"mock:seed={2**32}", "mock:shard_size=0", "mock:channels=0", "mock:=3"]
)
def test_a_value_out_of_its_range_is_refused_with_an_example(spec):
    with pytest.raises(ConfigError, match=f'data.path = "{spec}": .*Write mock:images=512'):
        MockDataset(spec)


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("mock:images=0", "images = 0: give a whole number from 1 to 67,108,864"),
        ("mock:size=x", "size = x: give a whole number from 1 to 4,096"),
        (f"mock:seed={2**32}", "seed = 4294967296: give a whole number from 0 to 4,294,967,295"),
        ("mock:colour=red", "unknown key colour"),
        ("mock:images=5000000,shard_size=1", "5,000,000 shards, more than 1,000,000: raise shard_size"),
    ],
)
def test_what_a_key_takes_is_said(spec, words):
    with pytest.raises(ConfigError) as caught:
        MockDataset(spec)
    assert f"{words}. Write mock:" in str(caught.value) and "Input should" not in str(caught.value)
