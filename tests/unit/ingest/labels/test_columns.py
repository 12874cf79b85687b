from __future__ import annotations

import pytest

from evoray.errors import DataError
from evoray.ingest.labels.columns import FILES, LABELS, Asked, listed, plain, position


@pytest.mark.parametrize(
    "name", ["filename", "Image_ID", "image id", "ImageId", "file-path", "IMAGE", "Image Index", "id"]
)
def test_usual_names_of_files_are_known(name):
    assert plain(name) in FILES


@pytest.mark.parametrize(
    "name", ["label", "Class", "class_id", "Category Name", "TARGET", "diagnosis", "dx", "fine_label"]
)
def test_usual_names_of_labels_are_known(name):
    assert plain(name) in LABELS


def test_no_name_is_of_both():
    assert not FILES & LABELS


@pytest.mark.parametrize(
    ("names", "asked", "at"),
    [
        (["a", "b"], "b", 1),
        (["a", "b"], "2", 1),
        (["2", "b"], "2", 0),
        ([" a ", "b"], "a", 0),
        (["Image ID", "b"], "image_id", 0),
        (["label", "Label"], "Label", 1),
    ],
)
def test_a_column_is_found_by_name_or_number(names, asked, at):
    assert position(names, asked, "--label-column", "x.csv") == at


@pytest.mark.parametrize("asked", ["c", "0", "3", "", "-1", "9" * 30])
def test_one_that_is_not_there_is_refused_with_those_that_are(asked):
    with pytest.raises(DataError, match=r"x\.csv: no column .*--label-column is one of a, b, or a number from 1"):
        position(["a", "b"], asked, "--label-column", "x.csv")


def test_a_message_names_a_line_of_columns_at_most():
    assert listed([f"c{number}" for number in range(900)], 3) == "c0, c1, c2, … (900 in all)"
    assert listed(["", "\x1b"]) == r"(no name), \x1b"


def test_columns_are_asked_for_or_not():
    assert not Asked(follow_links=True).columns
    assert Asked(file_column="a").columns and Asked(label_column="1").columns
