from __future__ import annotations

import pytest

from evoray.ingest.names import is_aside, is_aside_folder, is_image


@pytest.mark.parametrize(
    ("name", "image", "aside", "folder"),
    [
        ("a.JPG", True, False, False),
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
