"""From a table to files and labels: what is kept, left out and said."""

from __future__ import annotations

from pathlib import Path

import pytest

from evoray.errors import DataError
from evoray.ingest.labels.columns import Asked
from evoray.ingest.labels.filenames import FileNames
from evoray.ingest.labels.taken import taken

FILES = FileNames(["a.jpg", "b.jpg"])
ROWS = [(2, ["a.jpg", "x", "train", "7"]), (3, ["b.jpg", "y", "test", "8"])]
NAMES = ["file", "label", "split", "age"]


def read(rows=ROWS, names=NAMES, **asked):
    return taken(Path("list.csv"), names, rows, FILES, Asked(**asked), True, "commas")


def test_rows_that_count_and_those_left_out_are_kept_apart():
    found = read(only="split=train")
    assert found.rows == [(2, "a.jpg", "x")] and found.aside == ((3, "b.jpg", "y"),)
    assert (found.column, found.place, found.by_name) == ("label", "line", True)
    assert found.notes == (
        "list of labels list.csv: commas; files from column file, labels from column label",
        "columns left aside: split, age",
        "--only split=train: 1 of 2 lines count",
    )


def test_all_rows_count_unless_something_is_asked():
    found = read([(2, ["a.jpg", "x"]), (3, ["b.jpg", "y"])], NAMES[:2])
    assert found.rows == [(2, "a.jpg", "x"), (3, "b.jpg", "y")] and found.aside == () and len(found.notes) == 1


def test_images_of_two_splits_are_asked_about():
    with pytest.raises(DataError, match=r"list\.csv: the column split divides"):
        read()
    assert len(read(label_column="split").rows) == 2, "who asks for that very column gets it"


def test_boxes_are_left_off_a_label():
    rows = [(2, ["a", "n01 1 2 3 4 n01 5 6 7 8"]), (3, ["b", "n02 1 2 3 4"])]
    found = read(rows, ["ImageId", "PredictionString"])
    assert [label for _, _, label in found.rows] == ["n01", "n02"]
