from __future__ import annotations

from pathlib import Path

import pytest

from evoray.errors import DataError
from evoray.ingest.labels.columns import Asked
from evoray.ingest.labels.table import FileNames, file_column, label_column, split_header

PATH = Path("x.csv")
FILES = FileNames(["1.jpg", "2.jpg", "a.b.png", "deep/3.jpg", "deep/er/3.png"])


@pytest.mark.parametrize(
    ("cell", "files"),
    [
        ("1.jpg", [0]),
        ("1", [0]),
        ("/data/val/1.jpg", [0]),
        (r"C:\val\2.jpg", [1]),
        (" 2.jpg ", [1]),
        ("a.b", [2]),
        ("a", []),
        ("1.png", []),
        ("deep/3", [3]),
        ("root/deep/3.jpg", [3]),
        ("3.jpg", [3]),
        ("3", [3, 4]),
        ("er/3.png", [4]),
        ("", []),
        ("/", []),
    ],
)
def test_a_cell_names_files_of_the_folder(cell, files):
    assert FILES.find(cell) == files


def test_a_suffix_may_have_to_be_there():
    assert FILES.exactly("x/1.jpg") == [0] and FILES.exactly("1") == []


def rows(*cells):
    return [(number, list(row)) for number, row in enumerate(cells, 1)]


@pytest.mark.parametrize(
    ("first", "rest", "header"),
    [
        (("file", "label"), [("1.jpg", "x")], True),
        (("0.jpg", "label"), [("1.jpg", "x")], False),
        (("1", "label"), [("2", "x")], False),
        (("0", "x"), [("1", "x"), ("2", "y")], False),
        (("foto", "sorte"), [("1.jpg", "x")], True),
        (("foto", "sorte"), [("1", "0"), ("2", "1")], True),
        (("image", "hund"), [("1", "x"), ("2", "y")], True),
        (("image", "label"), [("8", "x"), ("9", "y")], True),
        (("7", "hund"), [("8", "x"), ("9", "y")], False),
    ],
)
def test_a_header_is_known_from_a_record(
    first,
    rest,
    header,
):
    found, below = split_header(PATH, rows(first, *rest), FILES, Asked())
    assert found == (list(first) if header else [])
    assert [cells for _, cells in below] == [list(row) for row in (rest if header else (first, *rest))]


def test_the_column_of_files_is_the_one_that_names_them():
    table = rows(("0", "1.jpg", "x"), ("1", "2.jpg", "x"))
    assert file_column(PATH, ["1", "2", "3"], table, FILES, Asked(), False) == 1
    labels_like_files = rows(("1", "2"), ("2", "2"))
    assert file_column(PATH, ["1", "2"], labels_like_files, FILES, Asked(), False) == 0
    both = rows(("1", "2"), ("2", "1"))
    assert file_column(PATH, ["id", "level"], both, FILES, Asked(), True) == 0
    with pytest.raises(DataError, match="columns 1, 2 name files"):
        file_column(PATH, ["1", "2"], both, FILES, Asked(), False)


def test_one_file_by_two_columns_is_no_question():
    table = rows(("1", "1.jpg"), ("2", "2.jpg"))
    assert file_column(PATH, ["id", "filename"], table, FILES, Asked(), True) == 1


def test_row_numbers_are_no_labels():
    table = rows(("0", "1.jpg", "x"), ("1", "2.jpg", "y"))
    assert label_column(PATH, ["Unnamed: 0", "filename", "sorte"], table, 1, Asked(), True) == 2
    with pytest.raises(DataError, match="no column of labels"):
        label_column(PATH, ["", "filename"], rows(("0", "1.jpg")), 1, Asked(), True)


def test_labels_that_read_like_files_are_none_where_a_column_of_files_is_named():
    files = FileNames(["0.png", "1.png", "2.png"])
    rows = [(2, ["000", "2"]), (3, ["001", "0"]), (4, ["002", "1"])]
    with pytest.raises(DataError, match=r"the column id does not name the folder's files, and label does.*--file-col"):
        file_column(PATH, ["id", "label"], rows, files, Asked(), True)
    assert file_column(PATH, ["name", "pick"], rows, files, Asked(), True) == 1
