from __future__ import annotations

from pathlib import Path

import pytest

from evoray.errors import DataError
from evoray.ingest.labels.columns import Asked
from evoray.ingest.labels.filenames import FileNames
from evoray.ingest.labels.table import file_column, label_column, split_header

PATH = Path("x.csv")
FILES = FileNames(["1.jpg", "2.jpg", "a.b.png", "deep/3.jpg", "deep/er/3.png"])


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
    table = rows(("000", "2"), ("001", "0"), ("002", "1"))
    assert file_column(PATH, ["id", "label"], table, files, Asked(), True) == 0
    assert file_column(PATH, ["name", "pick"], table, files, Asked(), True) == 1
    elsewhere = rows(("x", "2"), ("y", "0"), ("z", "1"))
    with pytest.raises(DataError, match=r"the column id does not name the folder's files, and label does.*--file-col"):
        file_column(PATH, ["id", "label"], elsewhere, files, Asked(), True)


@pytest.mark.parametrize(
    ("cells", "at"),
    [
        ([("1", "cat"), ("2", "dog")], 0),
        ([("cat", "1"), ("dog", "2")], 1),
        ([("3", "1"), ("3", "2")], 1),
        ([("1", "3"), ("2", "3")], 0),
        ([("x", "cat"), ("y", "dog")], 0),
    ],
)
def test_without_a_header_ids_without_zeros_are_the_files(cells, at):
    files = FileNames(["000001.jpg", "000002.jpg", "000003.jpg"])
    assert file_column(PATH, ["1", "2"], rows(*cells), files, Asked(), False) == at


def test_a_column_of_splits_is_no_label():
    table = rows(("1.jpg", "x", "train"), ("2.jpg", "y", "test"))
    assert label_column(PATH, ["foto", "sorte", "split"], table, 0, Asked(), True) == 1
    assert label_column(PATH, ["foto", "sorte", "part"], table, 0, Asked(only="part=train"), True) == 1
    with pytest.raises(DataError, match="no column of labels"):
        label_column(PATH, ["foto", "split"], rows(("1.jpg", "train")), 0, Asked(), True)


PNGS = FileNames([f"{number}.png" for number in range(12)])
ORDER = sorted(range(12), key=str)


@pytest.mark.parametrize(
    ("names", "cell", "expected"),
    [
        (["Unnamed: 0", "image", "label"], "{}.jpg", 1),
        (["", "file", "label"], "data/train/{}.jpg", 1),
        (["", "file", "label"], "imgs/{}.JPG", 1),
        (["id", "path", "label"], "{}.jpeg", 1),
        (["index", "foto", "label"], "{}.tif", 1),
        (["", "image", "label"], "{:03d}", 1),
        (["1", "2", "3"], "{}.jpg", 1),
        (["", "image", "label"], "{}", 1),
        (["id", "image", "label"], "{:03d}", None),  # two of files that differ
        (["", "image", "label"], "pic_{}.jpg", None),  # row numbers beside the files of another folder
        (["id", "url", "label"], "pic_{}.jpg", 0),
    ],
)
def test_row_numbers_are_no_files_where_another_column_names_them(names, cell, expected):
    table = rows(*[(str(row), cell.format(number), "cat") for row, number in enumerate(ORDER)])
    header = names[0] != "1"
    if expected is None:
        with pytest.raises(DataError, match="Say which counts with --file-column"):
            file_column(PATH, names, table, PNGS, Asked(), header)
        return
    assert file_column(PATH, names, table, PNGS, Asked(), header) == expected


def test_labels_without_a_header_are_no_files_beside_pictures():
    table = rows(*[(f"{number}.jpg", str(number % 3)) for number in range(12)])
    assert file_column(PATH, ["1", "2"], table, PNGS, Asked(), False) == 0


def test_a_column_of_masks_is_no_question():
    table = rows(*[(str(number), f"{number}_mask.png", "cat") for number in range(12)])
    assert file_column(PATH, ["id", "mask", "label"], table, PNGS, Asked(), True) == 0
