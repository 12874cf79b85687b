from __future__ import annotations

from pathlib import Path

import pytest
from listing import meant, scanned

from evoray.errors import DataError
from evoray.ingest.labels.columns import Asked
from evoray.ingest.labels.filenames import FileNames
from evoray.ingest.labels.table import file_column, label_column, split_header

PATH = Path("x.csv")
NAMED, NUMBERED = ("a.jpg", "b.jpg", "c.jpg"), ("0.jpg", "1.jpg", "2.jpg")
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


PANDAS = [
    (NAMED, ",0,1\n0,a.jpg,cat\n1,b.jpg,dog\n2,c.jpg,cat\n", "cat dog cat"),
    (NAMED, ",0,1\n0,a,1\n1,b,0\n2,c,1\n", "1 0 1"),
    (NAMED, ";1;0\n0;cat;a.jpg\n1;dog;b.jpg\n2;cat;c.jpg\n", "cat dog cat"),
    (NAMED, "Unnamed: 0,0,1\n0,a.jpg,cat\n1,b.jpg,dog\n2,c.jpg,cat\n", "cat dog cat"),
    (NAMED, ",0\na.jpg,1\nb.jpg,0\nc.jpg,1\n", "1 0 1"),
    (NUMBERED, ",0,1\n0,0.jpg,1\n1,1.jpg,0\n2,2.jpg,1\n", "1 0 1"),
    (NUMBERED, ",0,1\n0,2.jpg,cow\n1,1.jpg,dog\n2,0.jpg,cat\n", "cat dog cow"),
    (NUMBERED, ",0,1\n0,2,cow\n1,1,dog\n2,0,cat\n", "cat dog cow"),
    (NUMBERED, ",0,1\n0,2,1\n1,1,1\n2,0,0\n", "0 1 1"),
    (NUMBERED, "0,1\n0.jpg,cat\n1.jpg,dog\n2.jpg,cat\n", "cat dog cat"),
    (NUMBERED, "0\t1\n0.jpg\t0\n1.jpg\t1\n2.jpg\t0\n", "0 1 0"),
    (NUMBERED, ",0\n0.jpg,1\n1.jpg,0\n2.jpg,1\n", "1 0 1"),
    (NUMBERED, ",image_id,label\n0,2,7\n1,0,8\n2,1,7\n", "8 7 7"),
]
"""Tables of pandas' to_csv without names for their columns, and what 0, 1, 2 or a, b, c are in them."""


@pytest.mark.parametrize(("files", "text", "labels"), PANDAS)
def test_columns_that_pandas_numbered_are_a_header_and_row_numbers_are_left_aside(files, text, labels, tmp_path):
    source = scanned(tmp_path, text, files)
    assert [source.classes[label] for label in source.labels] == labels.split()
    assert "a header" in source.notes[0]


@pytest.mark.parametrize(
    ("files", "text", "message"),
    [
        (NAMED, ",0,1,2\n0,a.jpg,cat,x\n1,b.jpg,dog,y\n2,c.jpg,cat,z\n", "in the columns 1, 2, .*--label-column"),
        (NUMBERED, ",0,1\n0,2,1\n1,1,2\n2,0,0\n", "the columns 0, 1 name files of the folder.*--file-column"),
        (NUMBERED, "0,1\n0,5\n1,6\n2,5\n", "line 2: 0 has two labels"),
        (NAMED, "0,a.jpg,cat\n1,b.jpg,dog\n2,c.jpg,cat\n", "in the columns 1, 3 .*there is no header"),
    ],
)
def test_numbered_columns_that_are_open_are_asked_about(files, text, message, tmp_path):
    with pytest.raises(DataError, match=message):
        scanned(tmp_path, text, files)


def test_a_numbered_column_is_named_by_its_number(tmp_path):
    text = ",0,1,2\n0,a.jpg,cat,x\n1,b.jpg,dog,y\n2,c.jpg,cat,z\n"
    assert list(meant(scanned(tmp_path, text, NAMED, label_column="2")).values()) == ["x", "y", "z"]
