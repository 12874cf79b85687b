from __future__ import annotations

import pytest
from listing import meant

from evoray.errors import DataError
from evoray.ingest.labels.columns import Asked
from evoray.ingest.sources.flat import scan_flat


def scanned(tmp_path, root, paths, files=("0.png", "1.png"), also=()):
    """A list of paths, the first two of which are of cat and dog, beside a folder of images."""
    for name in [*(f"{root}/{file}" for file in files), *also]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    listing = tmp_path / "list.csv"
    labels = ["cat", "dog", "ant", "bee"]
    listing.write_text("path,label\n" + "".join(f"{a},{b}\n" for a, b in zip(paths, labels, strict=False)))
    return scan_flat(tmp_path / root, listing, Asked())


@pytest.mark.parametrize(
    ("root", "folder"),
    [
        ("train", "test"),
        ("test_images", "train"),
        ("val", "Train_Images"),
        ("validation", "data/test"),
        ("test/images", "train/images"),
        ("test", "/home/me/set/train"),
        ("train", "..\\test"),
    ],
)
def test_a_list_of_another_split_is_asked_about(root, folder, tmp_path):
    with pytest.raises(DataError, match=r"line 2: .* is a file of another folder .* write their names without folders"):
        scanned(tmp_path, root, [f"{folder}/0.png", f"{folder}/1.png"])


def test_a_list_whose_files_are_elsewhere_is_asked_about(tmp_path):
    with pytest.raises(DataError, match=r"siteB/0.png is a file of another folder"):
        scanned(tmp_path, "siteA", ["siteB/0.png", "siteB/1.png"], also=["siteB/0.png"])


@pytest.mark.parametrize(
    ("root", "folder"),
    [
        ("train", "train"),
        ("train", "/kaggle/input/train"),
        ("valid", "val"),
        ("images", "data/train"),
        ("set/images", "images"),
        ("Train", "train"),
        ("small", "original"),
        ("train", "."),
    ],
)
def test_a_folder_of_another_name_is_no_other_folder(root, folder, tmp_path):
    found = scanned(tmp_path, root, [f"{folder}/0.png", f"{folder}/1.png"])
    assert meant(found) == {"0.png": "cat", "1.png": "dog"}
    assert any("by paths of another folder" in note for note in found.notes) == (
        folder in ("val", "data/train", "original")
    )


@pytest.mark.parametrize(
    ("root", "own", "other"),
    [
        ("train", "train", "test"),
        ("images/b", "images/b", "images/a"),
        ("test/images", "test/images", "train/images"),
        ("siteA", "/data/siteA", "/data/siteB"),
        ("a", "a", "a2"),
    ],
)
def test_one_list_for_several_folders_is_read_by_its_paths(root, own, other, tmp_path):
    paths = [f"{own}/0.png", f"{own}/1.png", f"{other}/0.png", f"{other}/1.png"]
    for order in (paths, [*paths[:2], *reversed(paths[2:])]):
        found = scanned(tmp_path, root, order)
        assert meant(found) == {"0.png": "cat", "1.png": "dog"}
        assert any(note.startswith("2 lines name files that are not here") for note in found.notes)


def test_a_bare_name_beside_a_path_must_agree(tmp_path):
    with pytest.raises(DataError, match="has two labels"):
        scanned(tmp_path, "train", ["train/0.png", "train/1.png", "0.png"])


def between(tmp_path, root, other, listing, named, files=("0.png", "1.png"), others=("0.png", "7.png")):
    """A list of bare names beside two folders. named: whether the user names it."""
    for name in [*(f"{root}/{file}" for file in files), *(f"{other}/{file}" for file in others)]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / listing).write_text("file,label\n0.png,cat\n1.png,dog\n")
    return scan_flat(tmp_path / root, tmp_path / listing if named else None, Asked())


@pytest.mark.parametrize(
    ("root", "other"), [("train", "test"), ("test", "train"), ("train_images", "val_images"), ("Validation", "Train")]
)
def test_a_list_beside_two_splits_of_the_same_files_is_asked_about(root, other, tmp_path):
    with pytest.raises(
        DataError, match=rf"labels\.csv: lies beside {root} and {other}, which both hold 0\.png.*--labels"
    ):
        between(tmp_path, root, other, "labels.csv", named=False)
    assert meant(between(tmp_path, root, other, "labels.csv", named=True)) == {"0.png": "cat", "1.png": "dog"}


@pytest.mark.parametrize(
    ("root", "other", "listing", "others"),
    [
        ("train", "test", "labels.csv", ("6.png", "7.png")),
        ("images", "masks", "labels.csv", ("0.png", "1.png")),
        ("train", "train_masks", "labels.csv", ("0.png", "1.png")),
        ("val", "train", "val.txt", ("0.png", "1.png")),
    ],
)
def test_a_list_that_can_only_be_this_folders_is_taken(root, other, listing, others, tmp_path):
    assert len(between(tmp_path, root, other, listing, named=False, others=others).names) == 2


@pytest.mark.parametrize(
    ("root", "listing", "noted"),
    [
        ("test", "train_labels.csv", True),
        ("train", "train.csv", False),
        ("test", "all.csv", False),
        ("x", "train.csv", False),
    ],
)
def test_a_list_that_is_called_after_another_split_is_said(root, listing, noted, tmp_path):
    source = between(tmp_path, root, "other", listing, named=True)
    said = f"the labels of {listing} are taken for the images of {root}, as was asked"
    assert (said in source.notes) is noted
