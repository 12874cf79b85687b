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
