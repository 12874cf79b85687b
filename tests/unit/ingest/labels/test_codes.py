from __future__ import annotations

import json

import pytest
from listing import meant, scanned

from evoray.ingest.labels.codes import are_codes, restored

TREE = ("001/a.jpg", "001/b.jpg", "002/c.jpg", "010/d.jpg")
CODED = {"001/a.jpg": "001", "001/b.jpg": "001", "002/c.jpg": "002", "010/d.jpg": "010"}
FLAT = ("a.jpg", "b.jpg", "c.jpg", "d.jpg")


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["001", "002", "010"], True),
        ([f"{number:03d}" for number in range(1, 11)], True),
        ([f"{number:02d}" for number in range(10)], False),  # they count
        (["0", "1", "3"], False),
        (["01", "2"], False),
        (["01", "0a"], False),
        ([], False),
    ],
)
def test_codes_are_digits_of_one_width_that_do_not_count(names, expected):
    assert are_codes(names) is expected


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("list.csv", "filename,label\n001/a.jpg,1\n001/b.jpg,1\n002/c.jpg,2\n010/d.jpg,10\n"),
        ("list.csv", "filename,label\na.jpg,1.0\nb.jpg,1.0\nc.jpg,2.0\nd.jpg,10.0\n"),
        ("list.csv", "id;class\na;1\nb;1\nc;2\nd;10\n"),
        ("list.txt", "001/a.jpg 1\n001/b.jpg 1\n002/c.jpg 2\n010/d.jpg 10\n"),
        ("list.txt", "1\n1\n2\n10\n"),
        ("list.json", json.dumps({"a.jpg": 1, "b.jpg": 1, "c.jpg": 2, "d.jpg": 10})),
        ("list.json", json.dumps([{"file": name, "label": int(code)} for name, code in CODED.items()])),
        ("list.jsonl", "".join(json.dumps({"file": n, "label": int(c)}) + "\n" for n, c in CODED.items())),
    ],
)
def test_numbers_that_are_the_folders_without_zeros_are_the_folders(name, text, tmp_path):
    source = scanned(tmp_path, text, TREE, name)
    assert meant(source) == CODED
    assert source.classes == ("001", "002", "010")
    assert any("1 is the class 001, its zeros were lost" in note for note in source.notes)


@pytest.mark.parametrize(
    ("file", "text", "classes"),
    [
        ("classes.txt", "001\n002\n003\n010\n", ("001", "002", "003", "010")),
        ("names.txt", "010 ten\n001 one\n002 two\n", ("001", "002", "010")),
        ("class_names.csv", "code,name\n001,one\n002,two\n010,ten\n", ("001", "002", "010")),
        ("classes.json", '["001", "002", "010"]', ("001", "002", "010")),
        ("label_map.json", '{"001": "one", "002": "two", "010": "ten"}', ("001", "002", "010")),
        ("images/classes.txt", "0001\n0002\n0010\n", ("0001", "0002", "0010")),
    ],
)
def test_numbers_that_are_a_names_files_codes_are_those(file, text, classes, tmp_path):
    (tmp_path / "images").mkdir()
    source = scanned(tmp_path, "filename,label\na.jpg,1\nb.jpg,2\nc.jpg,10\nd.jpg,1\n", FLAT, beside={file: text})
    assert source.classes == classes
    assert [int(name) for name in meant(source).values()] == [1, 2, 10, 1]


@pytest.mark.parametrize(
    ("files", "labels", "beside"),
    [
        (FLAT, "1 2 10 1", {}),  # nothing shows it
        (TREE, "1 2 2 10", {}),  # one image's folder is another
        (("01/a.jpg", "01/b.jpg", "00/c.jpg", "02/d.jpg"), "1 1 0 2", {}),  # they count: the numbers are their places
        (("1/a.jpg", "1/b.jpg", "2/c.jpg", "10/d.jpg"), "1 1 2 10", {}),  # no zeros
        (FLAT, "1 2 10 11", {"classes.txt": "001\n002\n010\n"}),  # 11 is none of them
        (FLAT, "1 2 10 1", {"classes.txt": "cat\ndog\n"}),
        (FLAT, "1 2 10 1", {"classes.txt": "1\n2\n10\n"}),
    ],
)
def test_numbers_stay_numbers_where_nothing_shows_lost_zeros(files, labels, beside, tmp_path):
    ordered = sorted(files, key=lambda name: name[-5])
    text = "".join(f"{name},{label}\n" for name, label in zip(ordered, labels.split(), strict=True))
    source = scanned(tmp_path, f"filename,label\n{text}", files, beside=beside)
    assert source.classes == tuple(map(str, range(max(map(int, labels.split())) + 1)))


def test_whoever_says_that_they_are_classes_keeps_the_numbers(tmp_path):
    source = scanned(tmp_path, "1\n1\n2\n10\n", TREE, as_classes=True)
    assert source.classes == tuple(map(str, range(11)))


def test_a_file_that_is_not_here_gets_its_zeros_too(tmp_path):
    text = "a.jpg,1\nb.jpg,1\nc.jpg,2\nd.jpg,10\nelsewhere.jpg,7\n"
    assert scanned(tmp_path, text, TREE).classes == ("001", "002", "007", "010")


@pytest.mark.parametrize("value", ["cat", "01", "-1", "9" * 19, ""])
def test_what_is_no_plain_number_lost_nothing(value, tmp_path):
    assert restored(["1", value], lambda: ["001/a.jpg", "002/b.jpg"], [tmp_path]) is None
