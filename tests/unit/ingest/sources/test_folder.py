from __future__ import annotations

import io
import os
import pickle
from pathlib import Path

import pytest
from pictures import AS_THEY_ARE, save
from PIL import Image

from evoray.errors import DataError
from evoray.ingest.ingest import ingest_folder
from evoray.ingest.sources import FolderSource


@pytest.fixture
def tree(tmp_path):
    for name in ("a/0.png", "a/1.png", "b/0.png", "b/1.png"):
        save(tmp_path / "tree" / name)
    return tmp_path / "tree"


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


def test_linked_folders_are_followed_where_that_is_said(tree, tmp_path):
    (tmp_path / "links" / "b").mkdir(parents=True)
    (tmp_path / "links" / "a").symlink_to(tree / "a")
    (tmp_path / "links" / "b" / "more").symlink_to(tree / "b")
    source = FolderSource.scan(tmp_path / "links", follow=True)
    assert source.names == ["a/0.png", "a/1.png", "b/more/0.png", "b/more/1.png"]
    assert source.open(0) == (tree / "a" / "0.png").read_bytes()


def test_a_folder_source_travels(tree):
    source = pickle.loads(pickle.dumps(FolderSource.scan(Path(tree))))
    assert Image.open(io.BytesIO(source.open(0))).size == (8, 9)


def test_classes_and_names_are_sorted_and_every_image_has_its_folders_label(tmp_path):
    for name in ("b/2.png", "b/10.JPG", "a/deep/er/1.webp", "c/1.png"):
        save(tmp_path / name)
    (tmp_path / "a" / "notes.txt").write_text("no image")
    (tmp_path / "README.md").write_text("no class")
    source = FolderSource.scan(tmp_path)
    assert source.classes == ("a", "b", "c")
    assert source.names == ["a/deep/er/1.webp", "b/10.JPG", "b/2.png", "c/1.png"]
    assert source.labels == [0, 1, 1, 2]
    assert source.open(2) == (tmp_path / "b" / "2.png").read_bytes()


def test_a_class_without_images_keeps_its_label(tmp_path):
    save(tmp_path / "b" / "1.png")
    (tmp_path / "a").mkdir()
    source = FolderSource.scan(tmp_path)
    assert (source.classes, source.labels) == (("a", "b"), [1])


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read any folder")
def test_a_folder_that_may_not_be_read_is_named(tmp_path):
    save(tmp_path / "a" / "1.png")
    (tmp_path / "a").chmod(0)
    try:
        with pytest.raises(DataError, match=r"/a: cannot be read \(Permission denied\)"):
            FolderSource.scan(tmp_path)
    finally:
        (tmp_path / "a").chmod(0o700)


def tree_of(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def noted(source, words):
    return any(words in note for note in source.notes)


def test_what_systems_leave_is_no_class(tmp_path):
    names = (".ipynb_checkpoints/a.png", "__MACOSX/a/._1.png", "@eaDir/1.png", "lost+found/1.png", "cat/._1.png")
    tree_of(tmp_path, "cat/1.png", "dog/2.png", "cat/.DS_Store", "dog/Thumbs.db", *names)
    source = FolderSource.scan(tmp_path)
    assert (source.classes, source.names) == (("cat", "dog"), ["cat/1.png", "dog/2.png"])
    assert noted(source, "left aside, since no one means them: .ipynb_checkpoints, @eaDir, __MACOSX")


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (
            ("train/cat/1.png", "train/dog/1.png", "val/cat/1.png"),
            "train, val are splits of one set.* Name one: .*/train",
        ),
        (("train/cat/1.png", "valid/cat/1.png", "test/cat/1.png"), "test, train, valid are splits"),
        (("Train/cat/1.png", "Validation/cat/1.png", "notes/x.txt"), "Train, Validation are splits"),
        (("training/cat/1.png", "testing/1.png"), "testing, training are splits"),
        (("train/1.png", "val/2.png"), "are splits"),
        (("train/1.png", "test/2.png", "bus/3.png"), "test, train are splits.*--split none where they are classes"),
        (("train/cat/1.png", "dev/cat/1.png", "extra/1.png"), "dev, train are splits"),
        (
            ("data/cat/1.png", "data/dog/1.png"),
            r"one folder, data, and the folders in that .* \(cat, dog\)\. Name it: .*/data",
        ),
        (("set/train/1.png", "set/val/1.png", "__MACOSX/set/._1.png"), "holds one folder, set"),
    ],
)
def test_a_tree_whose_folders_are_no_classes_is_asked_about(names, message, tmp_path):
    with pytest.raises(DataError, match=message):
        FolderSource.scan(tree_of(tmp_path, *names))


@pytest.mark.parametrize(
    ("names", "classes"),
    [
        (("train/1.png", "bus/2.png", "car/3.png"), ("bus", "car", "train")),
        (("train/a/1.png", "bus/a/2.png"), ("bus", "train")),
        (("train/1.png", "test_tube/2.png", "bus/3.png"), ("bus", "test_tube", "train")),
        (("n01440764/images/1.png",), ("n01440764",)),
        (("animals/cat/1.png", "vehicles/car/2.png"), ("animals", "vehicles")),
        (("only/1.png", "only/a/2.png", "only/b/3.png"), ("only",)),
        (("my[1]/1.png", "my[2]/2.png", "a*b/3.png", "{x}/4.png"), ("a*b", "my[1]", "my[2]", "{x}")),
        (("cat/1.png", "_dog/2.png", "dog box/3.png"), ("_dog", "cat", "dog box")),
    ],
)
def test_a_tree_of_classes_is_one(names, classes, tmp_path):
    source = FolderSource.scan(tree_of(tmp_path, *names))
    assert source.classes == classes
    assert sorted(source.names) == sorted(names)


def test_a_link_to_a_folder_above_counts_no_image_twice(tmp_path):
    tree_of(tmp_path, *(f"{label}/{number}.png" for label in "abc" for number in range(1)))
    for label in "abc":
        (tmp_path / label / "loop").symlink_to("..")
    source = FolderSource.scan(tmp_path)
    assert source.names == ["a/0.png", "b/0.png", "c/0.png"]
    assert noted(source, "3 links to folders that are counted already, or above: a/loop, b/loop, c/loop")


def test_class_folders_that_are_links_out_of_the_tree_are_asked_about(tree, tmp_path):
    (tmp_path / "links" / "b").mkdir(parents=True)
    (tmp_path / "links" / "a").symlink_to(tree / "a")
    with pytest.raises(DataError, match=r"its folders a are links that leave the tree.* Say --follow-links"):
        FolderSource.scan(tmp_path / "links")


def test_images_that_are_links_out_of_the_tree_are_counted_and_not_opened(tree, tmp_path):
    tree_of(tmp_path / "links", "a/0.png", "b/0.png")
    (tmp_path / "links" / "a" / "1.png").symlink_to(tree / "a" / "1.png")
    source = FolderSource.scan(tmp_path / "links")
    assert source.names == ["a/0.png", "b/0.png"]
    assert noted(source, "1 links that leave the tree, not opened (--follow-links opens them")
    for name in ("a/0.png", "b/0.png"):
        (tmp_path / "links" / name).unlink()
    with pytest.raises(DataError, match=r"no image files in its 2 class folders .*1 links that leave the tree"):
        FolderSource.scan(tmp_path / "links")


def test_an_empty_class_folder_and_images_beside_are_said(tmp_path):
    tree_of(tmp_path, "a/1.png", "c/notes.txt", "top.png")
    (tmp_path / "b").mkdir()
    source = FolderSource.scan(tmp_path)
    assert (source.classes, source.labels) == (("a", "b", "c"), [0])
    assert noted(source, "2 class folders without images keep their places as classes: b, c")
    assert noted(source, "1 images beside the class folders are left aside")


def test_numbers_are_sorted_as_imagefolder_does_it_and_that_is_said(tmp_path):
    source = FolderSource.scan(tree_of(tmp_path, *(f"{number}/1.png" for number in range(12))))
    assert source.classes[:4] == ("0", "1", "10", "11")
    assert noted(source, "folders that are numbers are sorted as words, as ImageFolder does it: 0, 1, 10, 11, … (12")
    few = FolderSource.scan(tree_of(tmp_path / "few", "0/1.png", "1/1.png"))
    assert len(few.notes) == 1


def test_a_name_with_accents_apart_is_the_composed_one(tmp_path):
    """The order is that of the files' own names, as ImageFolder has it."""
    source = FolderSource.scan(tree_of(tmp_path, "e\u0301t\u00e9/1.png", "f/1.png", "\u00e4/1.png"))
    assert source.classes == ("\u00e9t\u00e9", "f", "\u00e4")
    assert source.names[0] == "e\u0301t\u00e9/1.png"


def test_two_spellings_of_one_name_are_refused(tmp_path):
    with pytest.raises(DataError, match=r"two folders are called \u00e9, .*move the images into one folder"):
        FolderSource.scan(tree_of(tmp_path, "\u00e9/1.png", "e\u0301/1.png"))


def test_control_characters_do_not_reach_the_terminal(tmp_path):
    with pytest.raises(DataError) as refused:
        FolderSource.scan(tmp_path / "\x1b[2Jnone")
    assert str(refused.value).isprintable()
    source = FolderSource.scan(tree_of(tmp_path, "a/1.png", "\x1b[31mb/x.txt", "c/.x\n/1.png"))
    assert all(note.isprintable() for note in source.notes)


def test_words_for_nothing_are_classes(tmp_path):
    names = ("NA", "None", "nan", "null")
    source = FolderSource.scan(tree_of(tmp_path, *(f"{name}/1.png" for name in names)))
    assert (source.classes, source.labels) == (names, [0, 1, 2, 3])


def test_a_folder_without_folders_says_what_it_holds(tmp_path):
    (tmp_path / "data_batch_1").touch()
    with pytest.raises(DataError, match=r"no class folders in it.* this one holds data_batch_1\. .* a torch Dataset"):
        FolderSource.scan(tmp_path)


@pytest.mark.parametrize("names", [("Cat", "cat"), ("Cat", "cat "), ("sea lake", "Sea_Lake"), ("T-shirt", "tshirt")])
def test_class_folders_that_are_one_to_a_reader_are_said(names, tmp_path):
    for name in (*names, "dog"):
        save(tmp_path / name / "1.png")
    source = FolderSource.scan(tmp_path)
    assert len(source.classes) == 3
    said = f"classes that differ in case, blanks or dashes alone: {', '.join(sorted(names))}"
    assert said in source.notes
