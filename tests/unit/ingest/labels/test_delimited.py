"""Which sign parts the columns of a list."""

from __future__ import annotations

import pytest

from evoray.ingest.labels.columns import Asked
from evoray.ingest.labels.delimited import find_table
from evoray.ingest.labels.filenames import FileNames
from evoray.ingest.labels.text import ListText

FILES = FileNames(["a.jpg", "b,1.jpg", "c d.jpg"])


def found(text, files=FILES, **asked):
    return find_table(ListText(text.encode(), text[:1000]), files, Asked(**asked))


@pytest.mark.parametrize(
    ("text", "parted", "rows"),
    [
        ("a.jpg,x\n", "commas", [["a.jpg", "x"]]),
        ("b,1.jpg;x\na.jpg;y z\n", "semicolons", [["b,1.jpg", "x"], ["a.jpg", "y z"]]),
        ("c d.jpg\tx, y\n", "tabs", [["c d.jpg", "x, y"]]),
        ("a.jpg|x;y,z\n", "bars", [["a.jpg", "x;y,z"]]),
        ("a.jpg  x\na.jpg y\n", "blanks", [["a.jpg", "x"], ["a.jpg", "y"]]),
        ("c d.jpg x\n", None, None),
        ('a.jpg,"x\ny"\n', "commas", [["a.jpg", "x\ny"]]),
        ("x\ny\n", None, None),
        ("label\nbig, red\nsmall, blue\n", "commas", [["label"], ["big", "red"], ["small", "blue"]]),
        ("a.jpg,x,\nc d.jpg,y,\n", "commas", [["a.jpg", "x"], ["c d.jpg", "y"]]),
        ("big red\na.jpg 1 0\nc.jpg 0 1\n", "blanks", None),
    ],
)
def test_the_sign_is_the_one_that_makes_cells_name_files(text, parted, rows):
    table = found(text)
    if parted is None or (table is None and rows is None):
        assert table is None
    elif rows is not None and text.startswith("label"):
        assert table is None or not table.names
    else:
        assert table.parted == parted and [cells for _, cells in table.rows] == rows


def test_a_header_may_lack_the_name_of_the_files():
    table = found("big red\na.jpg 1 0\nc.jpg 0 1\n", FileNames(["a.jpg", "c.jpg"]))
    assert table.rows[0] == (1, ["", "big", "red"]) and table.even


@pytest.mark.parametrize("text", ['a.jpg,x\nc d.jpg,"y\n', 'a.jpg,x\nb.jpg,"y"z\n'])
def test_quotes_that_do_not_fit_are_told_with_their_line(text):
    table = found(text)
    assert not table.even and table.error and table.line == 2
