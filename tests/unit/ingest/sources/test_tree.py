from __future__ import annotations

import os
import socket

import pytest

from evoray.ingest.sources.tree import holds_images, walk


@pytest.fixture
def root(tmp_path):
    for name in ("a/1.png", "a/b/2.JPG", "c/3.png", "c/notes.txt"):
        (tmp_path / "root" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "root" / name).touch()
    return tmp_path / "root"


ALL = ["a/1.png", "a/b/2.JPG", "c/3.png"]


def test_every_image_is_found_in_the_order_of_its_parts(root):
    (root / "a-b").mkdir()
    (root / "a-b" / "0.png").touch()
    (root / "top.png").touch()
    found = walk(root)
    assert found.files == ["a/1.png", "a/b/2.JPG", "a-b/0.png", "c/3.png", "top.png"]
    assert (found.folders, found.notes()) == (
        ["a", "a-b", "c"],
        ("1 files whose names say no image are left aside: 1 .txt",),
    )


@pytest.mark.parametrize(
    ("link", "target"),
    [
        ("a/up", ".."),
        ("a/root", "../../root"),
        ("up", "."),
        ("parent", ".."),
        ("c/self", "."),
        ("c/sister", "../a"),
        ("c/inner", "../a/b"),
        ("x", "a"),
        ("a/above", "/"),
    ],
)
@pytest.mark.parametrize("follow", [False, True])
def test_a_real_folder_counts_once(link, target, follow, root):
    (root / link).symlink_to(target)
    found = walk(root, follow)
    assert found.files == ALL
    assert found.again == [link]


def test_two_links_to_each_other_end(root):
    (root / "a" / "x").symlink_to("../c/y")
    (root / "c" / "y").symlink_to("../a/x")
    assert walk(root).files == ALL


@pytest.fixture
def outside(tmp_path):
    for name in ("outside/9.png", "outside/deep/8.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path / "outside"


def test_what_lies_outside_is_not_opened_unasked(root, outside):
    (root / "a" / "far").symlink_to(outside)
    (root / "a" / "9.png").symlink_to(outside / "9.png")
    (root / "c" / "notes.md").symlink_to(outside / "9.png")
    found = walk(root)
    assert (found.files, sorted(found.out)) == (ALL, ["a/9.png", "a/far"])
    assert found.notes() == (
        "2 links that leave the tree, not opened (--follow-links opens them, or name the real folder): a/9.png, a/far",
        "2 files whose names say no image are left aside: 1 .md, 1 .txt",
    )
    found = walk(root, follow=True)
    assert found.files == ["a/1.png", "a/9.png", "a/b/2.JPG", "a/far/9.png", "a/far/deep/8.png", "c/3.png"]
    assert found.out == []


def test_a_folder_beside_with_a_name_that_begins_alike_is_outside(root, tmp_path):
    (tmp_path / "root2").mkdir()
    (tmp_path / "root2" / "9.png").touch()
    (root / "a" / "far.png").symlink_to(tmp_path / "root2" / "9.png")
    assert walk(root).out == ["a/far.png"]


def test_links_inside_the_tree_are_files_of_it(root):
    (root / "c" / "same.png").symlink_to("../a/1.png")
    (root / ".store").mkdir()
    (root / ".store" / "5.png").touch()
    (root / "d").symlink_to(".store")
    found = walk(root)
    assert found.files == [*ALL, "c/same.png", "d/5.png"]
    assert found.folders == ["a", "c", "d"]


def test_the_root_may_be_a_link(root, tmp_path):
    (tmp_path / "link").symlink_to(root)
    assert walk(tmp_path / "link").files == ALL


def test_what_no_one_means_is_left_aside(root):
    for name in (".ipynb_checkpoints/1.png", "__MACOSX/a/._1.png", "a/._1.png", "a/@eaDir/1.png", "c/.git/x.png"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    found = walk(root)
    assert (found.files, found.folders) == (ALL, ["a", "c"])
    assert found.notes() == (
        "5 left aside, since no one means them: .ipynb_checkpoints, __MACOSX, a/._1.png, … (5 in all)",
        "1 files whose names say no image are left aside: 1 .txt",
    )


def test_only_regular_files_are_images(root, tmp_path, monkeypatch):
    os.mkfifo(root / "a" / "pipe.png")
    (root / "a" / "broken.png").symlink_to("nowhere.png")
    (root / "a" / "circle.png").symlink_to("circle.png")
    (root / "a" / "null.png").symlink_to("/dev/null")
    (root / "c" / "folder.png").mkdir()
    monkeypatch.chdir(root / "c")
    with socket.socket(socket.AF_UNIX) as one:
        one.bind("socket.png")
        found = walk(root, follow=True)
    assert found.files == ALL
    assert sorted(found.odd) == ["a/broken.png", "a/circle.png", "a/null.png", "a/pipe.png", "c/socket.png"]


def test_a_look_finds_folders_with_images(root, tmp_path):
    assert holds_images(root)
    assert not holds_images(root / "c")
    (root / "c" / ".hidden").mkdir()
    (root / "c" / ".hidden" / "1.png").touch()
    assert not holds_images(root / "c")
    (root / "c" / "link").symlink_to(tmp_path)
    assert not holds_images(root / "c") and holds_images(root / "c", links=True)


def test_a_deep_tree_is_walked(tmp_path):
    at = tmp_path
    for _ in range(400):
        at = at / "d"
        at.mkdir()
    (at / "1.png").touch()
    assert walk(tmp_path).files == ["d/" * 400 + "1.png"]


def test_suffixes_that_imagefolder_does_not_take_are_said(tmp_path):
    (tmp_path / "a").mkdir()
    for name in ("1.gif", "2.GIF", "3.jfif", "4.JPE", "5.png", "6.heic", "7.HEIC", "plain", "8.npy"):
        (tmp_path / "a" / name).touch()
    found = walk(tmp_path)
    assert found.files == [f"a/{name}" for name in ("1.gif", "2.GIF", "3.jfif", "4.JPE", "5.png")]
    assert found.notes() == (
        "4 files whose names say no image are left aside: 2 .heic, 1 .npy, 1 no suffix",
        "4 images are taken whose suffix ImageFolder leaves aside: 2 .gif, 1 .jfif, 1 .jpe",
    )
