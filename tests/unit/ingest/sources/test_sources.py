"""What is asked for wrongly, or cannot be read, is said in one line; what can be read is stored with its own label."""

from __future__ import annotations

import io
import os
import pickle
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from evoray.data import ArrowDataset, ImageTransform
from evoray.errors import ConfigError, DataError, RunError
from evoray.ingest.ingest import ingest_dataset, ingest_folder, ingest_source
from evoray.ingest.sources import FolderSource

AS_THEY_ARE = ImageTransform(resize=None, crop=None)
GREY = ImageTransform(resize=None, crop=None, channels=1)
PIXELS = np.arange(64, dtype=np.uint8).reshape(8, 8)


def save(path, size=(9, 8), kind="PNG"):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(0).integers(256, size=(*size, 3), dtype=np.uint8)).save(path, kind)
    return path


@pytest.fixture
def tree(tmp_path):
    for name in ("a/0.png", "a/1.png", "b/0.png", "b/1.png"):
        save(tmp_path / "tree" / name)
    return tmp_path / "tree"


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


def test_unreadable_files_are_listed_and_the_digest_knows_no_folder(tree, tmp_path):
    (tree / "a" / "text.JPEG").write_text("text")
    whole = save(tree / "b" / "cut.jpg", size=(200, 200), kind="JPEG")
    whole.write_bytes(whole.read_bytes()[:2000])
    here = ingest_folder(tree, tmp_path / "here", ImageTransform(resize=8, crop=8), workers=1)
    assert [one.source for one in here.unreadable] == ["a/text.JPEG", "b/cut.jpg"]
    assert here.rows == 4 and str(tmp_path) not in here.model_dump_json()
    tree.rename(tmp_path / "b")  # a root whose name is part of other names
    there = ingest_folder(tmp_path / "b", tmp_path / "there", ImageTransform(resize=8, crop=8), workers=1)
    assert there.digest == here.digest


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


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda root: None, "no such directory"),
        (lambda root: root.write_text("a file"), "not a directory"),
        (lambda root: root.mkdir(), "no class folders"),
        (lambda root: save(root / "flat.png"), "no class folders"),
        (lambda root: (root / "a").mkdir(parents=True), "no image files"),
        (lambda root: os.rename(save(root / "a" / "0.png"), os.fsencode(root) + b"/a/\xff.png"), "not UTF-8"),
    ],
)
def test_a_folder_that_is_no_tree_is_refused(make, message, tmp_path):
    make(tmp_path / "tree")
    with pytest.raises(DataError, match=message):
        ingest_folder(tmp_path / "tree", tmp_path / "shards", AS_THEY_ARE)


def test_linked_folders_are_followed(tree, tmp_path):
    (tmp_path / "links" / "b").mkdir(parents=True)
    (tmp_path / "links" / "a").symlink_to(tree / "a")
    (tmp_path / "links" / "b" / "more").symlink_to(tree / "b")
    assert FolderSource.scan(tmp_path / "links").names == ["a/0.png", "a/1.png", "b/more/0.png", "b/more/1.png"]


@pytest.mark.parametrize("shard_size", [1, 1024])
def test_images_stored_as_they_are_must_be_of_one_size(shard_size, tree, tmp_path):
    save(tree / "b" / "odd.png", size=(9, 7))
    with pytest.raises(DataError, match=r"(odd\.png: \(3, 9, 7\)|odd\.png is \(3, 9, 7\))"):
        ingest_folder(tree, tmp_path / "shards", AS_THEY_ARE, workers=1, shard_size=shard_size)
    assert not (tmp_path / "shards").exists()


def test_a_file_that_cannot_be_read_is_no_bad_image(tree, tmp_path):
    source = FolderSource.scan(tree)
    (tree / "b" / "1.png").unlink()
    with pytest.raises(RunError, match=r"b/1\.png: cannot be read .*the same command goes on"):
        ingest_source(source, tmp_path / "shards", AS_THEY_ARE, workers=1)


@pytest.mark.parametrize("option", [{"per_class": 0}, {"shard_size": 0}, {"workers": -1}, {"seed": -1}])
def test_options_below_their_least_value_are_refused(option, tree, tmp_path):
    with pytest.raises(ConfigError, match=f"{next(iter(option))} = "):
        ingest_folder(tree, tmp_path / "shards", AS_THEY_ARE, **option)


def test_a_link_that_leads_nowhere_is_not_overwritten(tree, tmp_path):
    (tmp_path / "shards").symlink_to(tmp_path / "nowhere")
    with pytest.raises(DataError, match="exists already"):
        ingest_folder(tree, tmp_path / "shards", AS_THEY_ARE, workers=1)


def test_what_cannot_travel_is_refused_before_processes_start(tmp_path):
    with pytest.raises(DataError, match="workers = 1"):
        ingest_dataset(Records(), tmp_path / "shards", GREY, workers=2, shard_size=2)


class Deadly:
    """Kills the process that opens a record; counts how often it travels."""

    classes = ("only",)
    names = ("0", "1", "2")
    labels = (0, 0, 0)
    travelled = 0

    def __getstate__(self):
        Deadly.travelled += 1
        return {}

    def prepare(self, directory):
        pass

    def open(self, record):
        os._exit(1)


def test_a_worker_that_dies_is_an_error_and_no_shards(tmp_path):
    with pytest.raises(RunError, match="process died"):
        ingest_source(Deadly(), tmp_path / "shards", GREY, workers=2, shard_size=1)
    assert [path.name for path in tmp_path.iterdir()] == [".shards.part"]
    assert Deadly.travelled == 1, "the records are pickled once, not once a shard"


def test_a_folder_source_travels(tree):
    source = pickle.loads(pickle.dumps(FolderSource.scan(Path(tree))))
    assert Image.open(io.BytesIO(source.open(0))).size == (8, 9)
