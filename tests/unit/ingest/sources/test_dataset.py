from __future__ import annotations

import io
from itertools import count
from typing import ClassVar

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


class Named(Records):
    classes = ("even", "odd")
    class_to_idx: ClassVar = {"even": 0, "odd": 1}
    targets = (0, 1, 0, 1, 0, 1)


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        (lambda i: np.int64(i % 2), [0, 1] * 3),
        (lambda i: np.array(i % 2), [0, 1] * 3),
        (lambda i: np.array([i % 2], np.uint8), [0, 1] * 3),
        (lambda i: torch.tensor(i % 2), [0, 1] * 3),
        (lambda i: torch.tensor([i % 2]), [0, 1] * 3),
        (lambda i: bool(i % 2), [0, 1] * 3),
        (lambda i: np.bool_(i % 2), [0, 1] * 3),
        (lambda i: torch.tensor(bool(i % 2)), [0, 1] * 3),
    ],
)
def test_whole_numbers_of_every_kind_are_labels(label, expected):
    assert DatasetSource.of(Records(label=label)).labels == expected
    assert DatasetSource.of(Records(targets=[label(i) for i in range(6)])).labels == expected


@pytest.mark.parametrize(
    "targets",
    [
        np.array([0, 1] * 3),
        np.array([[0], [1]] * 3),
        torch.tensor([0, 1] * 3),
        torch.tensor([0, 1] * 3, dtype=torch.uint8),
        torch.tensor([False, True] * 3),
        (0, 1) * 3,
    ],
)
def test_targets_may_be_an_array(targets):
    assert DatasetSource.of(Records(targets=targets)).labels == [0, 1] * 3


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        (torch.eye(6), "one-hot"),
        (np.eye(6, dtype=np.int64), "one-hot"),
        (np.array([0.0, 1.0] * 3), "as in regression"),
        (np.array(["cat", "dog"] * 3), "the label 'cat' is not a whole number"),
        (np.array([0, -1] * 3), "a label -1"),
    ],
)
def test_an_array_of_something_else_is_refused(targets, message):
    with pytest.raises(DataError, match=message):
        DatasetSource.of(Records(targets=targets))


@pytest.mark.parametrize(
    ("label", "message"),
    [
        (lambda i: torch.eye(6)[i], r"record/0: the label is a torch\.float32 of shape \(6,\): one-hot, or several"),
        (lambda i: np.eye(6, dtype=np.int64)[i], r"a int64 of shape \(6,\): one-hot"),
        (lambda i: [0, 1], r"the list \[0, 1\]: one-hot, or several labels.*one label a file"),
        (lambda i: (1,), "the tuple"),
        (lambda i: {3, 4}, "the set"),
        (lambda i: {"boxes": []}, "the dict"),
        (lambda i: 1.0, "the label 1.0 is not a whole number .* but a float, as in regression"),
        (lambda i: torch.tensor(1.0), r"but a torch\.float32, as in regression"),
        (lambda i: np.float32(2), "but a float32, as in regression"),
        (lambda i: torch.tensor([0.5]), "as in regression"),
        (lambda i: None, "the label None is not a whole number"),
        (lambda i: "3", "the label '3' is not a whole number"),
        (lambda i: np.str_("cat"), "not a whole number"),
        (lambda i: 10**12, "a label 1000000000000: there may be 1,000,000 classes"),
        (lambda i: np.int64(-1), "a label -1"),
    ],
)
def test_labels_that_are_no_class_are_refused(label, message):
    with pytest.raises(DataError, match=message):
        DatasetSource.of(Records(label=label))
    with pytest.raises(DataError, match=message):
        DatasetSource.of(Records(targets=[label(i) for i in range(6)]))


@pytest.mark.parametrize(
    ("attributes", "classes"),
    [
        ({}, ("0", "1")),
        ({"classes": ["even", "odd"]}, ("even", "odd")),
        ({"classes": np.array(["even", "odd"])}, ("even", "odd")),
        ({"classes": []}, ("0", "1")),
        ({"classes": 2}, ("0", "1")),
        ({"classes": {1: "odd", 0: "even"}}, ("even", "odd")),
        ({"class_to_idx": {"odd": 1, "even": 0}}, ("even", "odd")),
        ({"classes": [("tench", "Tinca tinca"), ("goldfish",)]}, ("tench, Tinca tinca", "goldfish")),
        (
            {"classes": [("a", "b"), ("c",)], "class_to_idx": {"a": 0, "b": 0, "c": 1}},
            ("a, b", "c"),
        ),
    ],
)
def test_classes_are_those_that_the_dataset_names(attributes, classes):
    assert DatasetSource.of(Records(**attributes)).classes == classes


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        (
            {"classes": ["even", "odd"], "class_to_idx": {"even": 1, "odd": 0}},
            "says that even is 1, where its classes have odd",
        ),
        ({"classes": ["even", "odd"], "class_to_idx": {"even": 0, "odd": 7}}, "says that odd is 7, .* have nothing"),
        ({"class_to_idx": {"even": 0, "odd": 2}}, "do not number 0 to 1, each once"),
        ({"classes": {0: "even", 2: "odd"}}, "do not number 0 to 1"),
    ],
)
def test_classes_that_disagree_are_refused(attributes, message):
    with pytest.raises(DataError, match=message):
        DatasetSource.of(Records(**attributes))


def test_a_subset_has_the_classes_and_the_targets_of_its_whole():
    asked = Named(broken=range(6))
    source = DatasetSource.of(torch.utils.data.Subset(asked, [5, 4, 1]))
    assert (source.classes, source.labels) == (("even", "odd"), [1, 0, 1])
    nested = torch.utils.data.Subset(torch.utils.data.Subset(Named(), [5, 4, 1]), [1, 2])
    source = DatasetSource.of(nested)
    assert (source.classes, source.labels) == (("even", "odd"), [0, 1])
    assert np.array_equal(np.asarray(source.open(0)), PIXELS + 4)


def test_a_subset_of_a_dataset_with_a_target_transform_asks_its_records():
    whole = Named(targets=[9] * 6, target_transform=lambda label: label % 2)
    assert DatasetSource.of(torch.utils.data.Subset(whole, [3, 2])).labels == [1, 0]


def test_datasets_one_after_another_are_one():
    source = DatasetSource.of(torch.utils.data.ConcatDataset([Named(), torch.utils.data.Subset(Named(), [1])]))
    assert (source.classes, source.labels) == (("even", "odd"), [0, 1, 0, 1, 0, 1, 1])
    assert np.array_equal(np.asarray(source.open(6)), PIXELS + 1)


def test_datasets_of_different_classes_are_no_one():
    other = Named(classes=("odd", "even"), class_to_idx={"odd": 0, "even": 1})
    with pytest.raises(DataError, match="parts of the ConcatDataset have different classes"):
        DatasetSource.of(torch.utils.data.ConcatDataset([Named(), other]))


def test_a_dataset_of_dictionaries_says_what_it_has():
    with pytest.raises(DataError, match=r"record/0: a dictionary of image, label\. Give \(image, label\)"):
        DatasetSource.of([{"image": PIXELS, "label": 0}])


def test_a_length_that_raises_is_named():
    class Odd(Records):
        def __len__(self):
            raise OSError("no network\x1b[2J")

    with pytest.raises(DataError, match=r"Odd: len\(\) of it raised OSError: no network\\x1b"):
        DatasetSource.of(Odd())


class Drawn(Records):
    """Records whose pictures are changed by ``change(pixels)`` each time."""

    def __getitem__(self, index):
        pixels, label = super().__getitem__(index)
        return self.change(pixels), label


CALLS = count()


def shifted(pixels):
    return pixels + np.uint8(next(CALLS) % 250)


def cropped(pixels):
    return pixels[next(CALLS) % 2 :]


@pytest.mark.parametrize(
    ("change", "broken", "varies"),
    [
        (shifted, (), True),
        (shifted, (0, 1), True),
        (cropped, (), True),
        (lambda pixels: Image.fromarray(shifted(pixels)), (), True),
        (lambda pixels: torch.from_numpy(shifted(pixels)), (), True),
        (lambda pixels: pixels, (), False),
        (lambda pixels: pixels[::-1], (0, 3), False),
        (Image.fromarray, (), False),
        (torch.from_numpy, (), False),
        (lambda pixels: {"image": pixels}, (), False),
    ],
)
def test_a_dataset_that_draws_its_pictures_anew_is_said(change, broken, varies):
    notes = DatasetSource.of(Drawn(change=change, broken=broken)).notes
    assert any("gives another picture each time" in note for note in notes) is varies


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (torch.zeros(3, 8, 3, dtype=torch.uint8), ["tensors of shape [3, 8, 3] are read as [C, H, W], channels first"]),
        (torch.zeros(1, 8, 1, dtype=torch.uint8), ["tensors of shape [1, 8, 1] are read as [C, H, W], channels first"]),
        (torch.zeros(3, 8, 8, dtype=torch.uint8), []),
        (np.zeros((8, 3, 3), np.uint8), []),
    ],
)
def test_tensors_that_may_be_read_two_ways_are_said(value, said):
    assert list(DatasetSource.of([(value, 0), (value, 1)]).notes[1:]) == said


def test_an_array_that_may_be_read_two_ways_stops_the_ingest(tmp_path):
    pairs = [(np.zeros((3, 8, 3), np.uint8), label) for label in (0, 1)]
    with pytest.raises(DataError, match=r"record/[01]: an array of shape \[3, 8, 3\], whose channels"):
        ingest_dataset(pairs, tmp_path / "shards", GREY)
    assert not (tmp_path / "shards").exists()
