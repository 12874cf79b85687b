from __future__ import annotations

import pytest

from evoray.ingest.names import is_aside, is_aside_folder, is_image, suffix_of


@pytest.mark.parametrize(
    ("name", "image", "aside", "folder"),
    [
        ("a.JPG", True, False, False),
        *((f"a{suffix}", True, False, False) for suffix in (".gif", ".GIF", ".jfif", ".JPE", ".apng", ".pbm", ".mpo")),
        *((f"a{suffix}", False, False, False) for suffix in (".heic", ".pfm", ".jp2", ".avif", ".eps", ".svg", ".npy")),
        ("a.tar.png", True, False, False),
        (".hidden.png", True, False, True),
        ("._a.jpg", True, True, True),
        (".DS_Store", False, True, True),
        ("Thumbs.db", False, True, True),
        ("__MACOSX", False, True, True),
        ("@eaDir", False, True, True),
        ("lost+found", False, True, True),
        (".ipynb_checkpoints", False, False, True),
        ("_a", False, False, False),
        ("jpg", False, False, False),
    ],
)
def test_a_name_says_what_it_is(name, image, aside, folder):
    assert (is_image(name), is_aside(name), is_aside_folder(name)) == (image, aside, folder)


@pytest.mark.parametrize(
    ("name", "suffix"),
    [
        ("a.GIF", ".gif"),
        ("a.tar.gz", ".gz"),
        ("a", "no suffix"),
        (".a", "no suffix"),
        ("a.", "no suffix"),
        ("a.verylongsuffix", ".verylongsuf"),
    ],
)
def test_the_end_of_a_name_is_shown(name, suffix):
    assert suffix_of(name) == suffix
