"""Only regular files below the tree are opened, however a name came to be something else."""

from __future__ import annotations

import os
import socket

import numpy as np
import pytest
from pictures import encoded, photograph, save

from evoray.data import ImageTransform
from evoray.data.decoding.bounds import ENCODED_BYTES
from evoray.errors import DataError, PictureError
from evoray.ingest.ingest import ingest_source
from evoray.ingest.sources import FolderSource
from evoray.ingest.sources.base import SlicedSource
from evoray.ingest.sources.files import read_inside

OUTSIDE = r"^a link that leads out of the tree, and is not opened\. Copy"


@pytest.fixture
def root(tmp_path):
    (tmp_path / "tree" / "a").mkdir(parents=True)
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret.png").write_bytes(b"secret")
    (tmp_path / "tree-2").mkdir()
    (tmp_path / "tree-2" / "secret.png").write_bytes(b"secret")
    return tmp_path / "tree"


def bound_socket(path):
    with socket.socket(socket.AF_UNIX) as one:
        os.chdir(path.parent)  # a path may take some 100 characters
        one.bind(path.name)


def chain(path, end):
    """A link to a second one that leads to ``end``, or to a pipe."""
    second = path.with_name("second")
    os.mkfifo(second) if end is None else second.symlink_to(end)
    path.symlink_to(second.name)


KINDS = {
    "a pipe": (lambda path: os.mkfifo(path), "^a pipe, not a regular file"),
    "a socket": (bound_socket, "^a socket, not"),
    "a folder": (lambda path: path.mkdir(), "^a folder, not"),
    "a link to a device": (lambda path: path.symlink_to("/dev/zero"), OUTSIDE),
    "a link to a file": (lambda path: path.symlink_to("../../outside/secret.png"), OUTSIDE),
    "an absolute link": (lambda path: path.symlink_to(path.parents[2] / "outside" / "secret.png"), OUTSIDE),
    "a link to a neighbour of the same beginning": (lambda path: path.symlink_to("../../tree-2/secret.png"), OUTSIDE),
    "a link to a link that leaves": (lambda path: chain(path, "/etc/passwd"), OUTSIDE),
    "a link to the tree's own folder": (lambda path: path.symlink_to("."), "^a folder, not"),
    "a link to a pipe in the tree": (lambda path: chain(path, None), "^a pipe, not"),
    "a link to /proc": (lambda path: path.symlink_to("/proc/self/environ"), OUTSIDE),
}


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_no_file_of_the_tree_is_refused(kind, root, monkeypatch):
    monkeypatch.chdir(root)
    make, message = KINDS[kind]
    make(root / "a" / "x.png")
    with pytest.raises(PictureError, match=message):
        read_inside(root, "a/x.png")


def test_a_folder_that_is_a_link_out_of_the_tree_is_refused_unless_it_is_asked_for(root):
    (root / "b").symlink_to("../outside")
    with pytest.raises(PictureError, match=OUTSIDE):
        read_inside(root, "b/secret.png")
    assert read_inside(root, "b/secret.png", follow=True) == b"secret"
    (root / "b" / "secret.png").unlink()
    os.mkfifo(root / "b" / "secret.png")
    with pytest.raises(PictureError, match="a pipe, not"):
        read_inside(root, "b/secret.png", follow=True)


@pytest.mark.parametrize("name", ["../outside/secret.png", "a/../../outside/secret.png"])
def test_a_name_that_climbs_is_refused(name, root):
    with pytest.raises(PictureError, match=OUTSIDE):
        read_inside(root, name)


def test_links_within_the_tree_and_a_root_that_is_a_link_are_read(root, tmp_path):
    content = save(root / "a" / "0.png").read_bytes()
    (root / "a" / "1.png").symlink_to("0.png")
    (root / "b").symlink_to("a")
    (tmp_path / "link").symlink_to(root)
    for name in ("a/0.png", "a/1.png", "b/0.png", "b/1.png"):
        assert read_inside(root, name) == content
        assert read_inside(tmp_path / "link", name) == content
        assert read_inside(os.path.relpath(root), name) == content


def test_a_relative_root_is_that_of_the_working_directory_of_the_moment(root, tmp_path, monkeypatch):
    content = save(root / "a" / "secret.png").read_bytes()
    monkeypatch.chdir(tmp_path)
    assert read_inside("tree", "a/secret.png") == content
    (tmp_path / "other" / "tree").mkdir(parents=True)
    (tmp_path / "other" / "tree" / "a").symlink_to(tmp_path / "outside")
    monkeypatch.chdir(tmp_path / "other")
    with pytest.raises(PictureError, match=OUTSIDE):
        read_inside("tree", "a/secret.png")


@pytest.mark.parametrize("size", [0, 1, 70_000])
def test_every_byte_is_read_even_of_a_file_that_grows(size, root, monkeypatch):
    content = bytes(range(256)) * (size // 256) + bytes(size % 256)
    (root / "a" / "x.png").write_bytes(content)
    assert read_inside(root, "a/x.png") == content
    whole = os.read
    monkeypatch.setattr(os, "read", lambda descriptor, count: whole(descriptor, min(count, 1000)))
    assert read_inside(root, "a/x.png") == content


def test_a_file_larger_than_a_picture_may_be_is_not_read(root):
    with open(root / "a" / "x.png", "wb") as file:
        file.truncate(ENCODED_BYTES + 1)  # takes no room
    with pytest.raises(PictureError, match=r"536,870,913 bytes, more than the 536,870,912"):
        read_inside(root, "a/x.png")


def test_a_file_that_is_gone_is_an_error_of_storage(root):
    with pytest.raises(FileNotFoundError):
        read_inside(root, "a/gone.png")


def test_no_descriptor_stays_open(root):
    save(root / "a" / "0.png")
    os.mkfifo(root / "a" / "p.png")
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        read_inside(root, "a/0.png")
        with pytest.raises(PictureError):
            read_inside(root, "a/p.png")
    assert len(os.listdir("/proc/self/fd")) == before


def in_one_file(path, *contents):
    """Records as they lie in a tar or a table."""
    path.write_bytes(b"".join(contents))
    sizes = np.array([len(one) for one in contents])
    names = [str(number) for number in range(len(contents))]
    which = np.zeros(len(contents), int)
    return SlicedSource((str(path),), which, np.cumsum(sizes) - sizes, sizes, ("a",), names, [0] * len(contents))


def test_records_in_a_tar_are_held_to_the_same_rules(tmp_path):
    good = encoded(photograph((20, 20)), "PNG")
    source = in_one_file(tmp_path / "x.tar", good, b"%!PS-Adobe-3.0 EPSF", b"", good[:-200])
    manifest = ingest_source(source, tmp_path / "shards", ImageTransform(resize=8, crop=8), workers=1)
    assert [(one.source, one.error[:10]) for one in manifest.unreadable] == [
        ("1", "PostScript"),
        ("2", "an empty f"),
        ("3", "OSError: i"),
    ]
    source.sizes[0] = ENCODED_BYTES + 1
    with pytest.raises(PictureError, match="536,870,913 bytes"):
        source.open(0)


def test_a_tar_that_became_a_pipe_is_not_waited_for(tmp_path):
    source = in_one_file(tmp_path / "y.tar", b"1234")
    (tmp_path / "y.tar").unlink()
    os.mkfifo(tmp_path / "y.tar")
    with pytest.raises(DataError, match=r"y\.tar: not a regular file any more"):
        source.open(0)


@pytest.mark.parametrize("change", ["a pipe", "a link to a file", "a folder", "a link to a device"])
def test_a_file_that_became_something_else_since_it_was_listed_is_listed_with_the_reason(change, root, tmp_path):
    for name in ("0.png", "1.png"):
        (root / "a" / name).write_bytes(encoded(photograph((20, 20)), "PNG"))
    source = FolderSource.scan(root)
    (root / "a" / "1.png").unlink()
    make, message = KINDS[change]
    make(root / "a" / "1.png")
    manifest = ingest_source(source, tmp_path / "shards", ImageTransform(resize=8, crop=8), workers=1)
    assert [one.source for one in manifest.unreadable] == ["a/1.png"] and manifest.rows == 1
    assert manifest.unreadable[0].error.startswith(message.strip("^").replace("\\", "")[:20])
