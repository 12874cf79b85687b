from __future__ import annotations

import json

import pytest

from evoray.data.manifest import CLASSES
from evoray.errors import DataError
from evoray.ingest.names import check_classes, is_aside, is_aside_folder, is_image, suffix_of
from evoray.runtime.reading import JSON_BYTES


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
        ("__pycache__", False, True, True),
        ("System Volume Information", False, True, True),
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


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        (["crane", "dog", "crane"], "class 2: 'crane' is the name of class 0 too"),
        (["cat", ""], "class 1: its name '' is empty"),
        (["cat", " "], "is empty"),
        (["a\nb", "c"], "class 0: .* has control characters"),
        (["x" * 1001], "has over 1,000 characters"),
        (["x"] * 1_000_001, "there may be 1,000,000"),
        ([f"{number:0100d}" for number in range(200_000)], "take over .* Give shorter ones"),
    ],
)
def test_classes_that_no_manifest_holds_are_refused(classes, message):
    with pytest.raises(DataError, match=message):
        check_classes(classes)


def test_a_million_numbered_classes_fit_into_a_manifest():
    classes = tuple(map(str, range(CLASSES)))
    check_classes(classes)
    assert len(json.dumps(classes, indent=1)) < JSON_BYTES
