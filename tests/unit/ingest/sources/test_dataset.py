from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from pictures import GREY
from PIL import Image

from evoray.data import ArrowDataset, ImageTransform
from evoray.errors import DataError
from evoray.ingest.ingest import ingest_dataset
from evoray.ingest.sources import DatasetSource

PIXELS = np.arange(64, dtype=np.uint8).reshape(8, 8)


class Records:
    """Six records, of which some raise; keywords become attributes."""

    def __init__(self, label=lambda i: i % 2, broken=(), **attributes):
        self.label, self.broken = label, broken
        self.__dict__.update(attributes)

    def __len__(self):
        return 6

    def __getitem__(self, index):
        if index in self.broken:
            Image.open(io.BytesIO(b"no image"))
        return PIXELS + np.uint8(index), self.label(index)


def stored_labels(directory):
    shard = ArrowDataset(directory).load(0)
    return {source: int(label) for source, label in zip(shard.sources, shard.labels, strict=True)}


@pytest.mark.parametrize("targets", [None, [0, 1, 0, 1, 0, 1]])
def test_records_that_raise_are_listed_the_same_every_time(targets, tmp_path):
    records = Records(broken=(2, 5), **({} if targets is None else {"targets": targets}))
    first, again = (ingest_dataset(records, tmp_path / name, GREY) for name in ("first", "again"))
    assert [one.source for one in first.unreadable] == ["record/2", "record/5"]
    assert first.digest == again.digest, "an address in memory is no part of a reason"
    assert stored_labels(tmp_path / "first") == {f"record/{i}": i % 2 for i in (0, 1, 3, 4)}


def test_a_target_transform_is_heeded(tmp_path):
    ingest_dataset(Records(targets=[5] * 6, target_transform=lambda label: label % 2), tmp_path / "shards", GREY)
    assert stored_labels(tmp_path / "shards") == {f"record/{i}": i % 2 for i in range(6)}


@pytest.mark.parametrize(
    ("records", "message"),
    [
        (Records(targets=[0] * 6), "labels"),
        (Records(targets=[0] * 5), "6 records and 5 targets"),
        (Records(label=lambda i: "cat"), "'cat'"),
        (Records(label=lambda i: 0.5), r"0\.5"),
        (Records(label=lambda i: -1), "label -1"),
        (Records(classes=("only",)), "label 1 and 1 classes"),
        (Records(broken=range(6)), "none of 6 records"),
        (iter(()), "no length"),
        ([], "empty"),
    ],
)
def test_a_dataset_without_proper_labels_is_refused(records, message, tmp_path):
    with pytest.raises(DataError, match=message):
        ingest_dataset(records, tmp_path / "shards", GREY)
    assert list(tmp_path.iterdir()) == []


class Pictures(torch.utils.data.Dataset):
    classes = ("even", "odd")

    def __init__(self, kind):
        random = np.random.default_rng(0)
        self.pixels = [random.integers(256, size=(8, 8), dtype=np.uint8) for _ in range(7)]
        self.kind = kind

    def __len__(self):
        return 7

    def __getitem__(self, index):
        pixels = self.pixels[index]
        makers = {
            "pil": lambda: Image.fromarray(pixels),
            "hw": lambda: pixels,
            "chw": lambda: torch.from_numpy(pixels[None]),
            "hwc": lambda: pixels[:, :, None],
            "float": lambda: pixels / 255,
        }
        return makers[self.kind](), index % 2


@pytest.mark.parametrize("kind", ["pil", "hw", "chw", "hwc"])
def test_a_torch_dataset_becomes_shards(kind, tmp_path):
    records = Pictures(kind)
    manifest = ingest_dataset(records, tmp_path / "shards", ImageTransform(resize=None, crop=None, channels=1))
    shard = ArrowDataset(tmp_path / "shards").load(0)
    assert manifest.classes == ("even", "odd")
    for image, label, source in zip(shard.images, shard.labels, shard.sources, strict=True):
        index = int(source.rpartition("/")[2])
        assert label == index % 2
        assert np.array_equal(image[0], records.pixels[index])


def test_normalised_records_are_refused(tmp_path):
    with pytest.raises(DataError, match="uint8"):
        ingest_dataset(Pictures("float"), tmp_path / "shards", ImageTransform(resize=None, crop=None))
    assert list(tmp_path.iterdir()) == []


def test_labels_come_from_the_targets_and_no_record_is_opened_for_them():
    source = DatasetSource.of(Records(broken=range(6), targets=np.array([2, 0, 1, 0, 0, 0])))
    assert source.labels == [2, 0, 1, 0, 0, 0]
    assert (source.classes, source.names[5]) == (("0", "1", "2"), "record/5")


def test_a_label_may_be_any_whole_number_type():
    for number in (np.int32(1), torch.tensor(1), True):
        assert DatasetSource.of(Records(label=lambda _, number=number: number)).labels == [1] * 6


def test_a_label_that_changes_is_found_when_its_record_is_opened():
    records = Records(targets=[0, 1] * 3)
    source = DatasetSource.of(records)
    assert source.open(1).size == (8, 8)
    records.label = lambda index: 1 - index % 2
    with pytest.raises(DataError, match=r"record/1: the Dataset gave the labels 1 and 0"):
        source.open(1)


def test_more_than_a_picture_and_a_label_is_left_alone():
    source = DatasetSource.of([(PIXELS, 0, "metadata"), (PIXELS, 1, None)])
    assert source.labels == [0, 1] and np.array_equal(np.asarray(source.open(1)), PIXELS)
