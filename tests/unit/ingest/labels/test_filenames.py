"""What a list calls a file, and which of the folder's it is."""

from __future__ import annotations

import pytest
from listing import meant, numbered, scanned

from evoray.errors import DataError
from evoray.ingest.labels.filenames import CASE, NUMBER, SUFFIX, FileNames

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


ODD = FileNames(
    ["000001.jpg", "000012.JPG", "Cat.JPEG", "b/Dog.png", "7.png", "é.jpg", "x.jpg", "X.jpg", "03.jpg", "3.jpg"]
)


@pytest.mark.parametrize(
    ("cell", "files", "how"),
    [
        ("000001.jpg", [0], ""),
        ("1", [0], NUMBER),
        ("1.0", [0], NUMBER),
        ("0001", [0], NUMBER),
        ("1.jpg", [0], NUMBER),
        ("images/12.png", [1], NUMBER),
        ("12.", [1], NUMBER),
        ("000012.jpg", [1], CASE),
        ("cat.jpeg", [2], CASE),
        ("CAT", [2], CASE),
        ("cat.jpg", [2], SUFFIX),
        ("Cat.png", [2], SUFFIX),
        ("B/DOG.PNG", [3], CASE),
        ("data/b/dog.jpg", [3], SUFFIX),
        ("7.jpg", [4], SUFFIX),
        ("007", [4], NUMBER),
        ("É.JPG", [5], CASE),
        ("x.jpg", [6], ""),
        ("x.JPG", [6, 7], CASE),
        ("0003", [8, 9], NUMBER),
        ("3", [9], ""),
        ("2", [], ""),
        ("-1", [], ""),
        ("1.5", [], ""),
        ("", [], ""),
        ("cat.txt", [], ""),
    ],
)
def test_a_name_is_a_file_as_near_as_can_be(cell, files, how):
    found, found_how = ODD.resolve(cell)
    assert found == files and (not files or found_how == how)


def test_only_a_loose_search_takes_another_case_and_none_takes_a_number():
    names = FileNames(["Cat.JPEG", "0007.png"])
    assert names.find("cat.jpg") == names.find("7") == []
    names.loose = True
    assert names.find("cat.jpg") == [0] and names.find("7") == []


CATS = ["cat", "dog", "cat"]


@pytest.mark.parametrize(
    ("files", "named", "said"),
    [
        (numbered(3), ["1", "2", "3"], "3 files are named by their number without its zeros: 1 is 000001.jpg"),
        (numbered(3), ["1.0", "2.0", "3.0"], "by their number"),
        (numbered(3), ["1.jpg", "2.jpg", "3.jpg"], "by their number"),
        (("a.jpg", "b.jpg", "c.jpg"), ["A.JPG", "B.JPG", "c.jpg"], "2 files are named in another case: A.JPG is a.jpg"),
        (("a.JPG", "b.JPG", "c.JPG"), ["a.jpg", "b.jpg", "c.jpg"], "3 files are named in another case"),
        (("a.png", "b.png", "c.png"), ["a.jpg", "b.jpg", "c.jpg"], "3 files are named with another suffix"),
        (("a.JPEG", "b.JPEG", "c.JPEG"), ["a.jpg", "b.jpg", "c.jpg"], "3 files are named with another suffix"),
        (("a 1.jpg", "b 1.jpg", "c 1.jpg"), ["A 1.JPG", "B 1.JPG", "C 1.JPG"], "in another case"),
    ],
)
@pytest.mark.parametrize("form", ["{0},{1}\n", "{1},{0}\n", "{0}\t{1}\n"])
def test_a_list_whose_names_are_nearly_the_files_is_read_and_said(files, named, said, form, tmp_path):
    text = "".join(form.format(name, label) for name, label in zip(named, CATS, strict=True))
    source = scanned(tmp_path, text, files)
    assert meant(source) == dict(zip(files, CATS, strict=True))
    assert any(said in note for note in source.notes)


@pytest.mark.parametrize(
    ("files", "name", "message"),
    [
        (("a.jpg", "a.png", "b.jpg"), "a", r"line 2: a could be a\.jpg, a\.png\. Write the paths"),
        (("a.jpg", "a.JPG", "b.jpg"), "A.JPG", r"line 2: A\.JPG could be a\.JPG, a\.jpg"),
        (("01.jpg", "001.jpg", "b.jpg"), "1", r"line 2: 1 could be 001\.jpg, 01\.jpg"),
        (("a.png", "a.webp", "b.jpg"), "a.jpg", r"line 2: a\.jpg could be a\.png, a\.webp"),
        (("x/a.jpg", "y/A.jpg", "b/b.jpg"), "A.JPG", r"line 2: A\.JPG could be x/a\.jpg, y/A\.jpg"),
    ],
)
def test_a_name_that_is_nearly_two_files_is_refused_with_both(files, name, message, tmp_path):
    with pytest.raises(DataError, match=message):
        scanned(tmp_path, f"file,label\n{name},cat\nb.jpg,dog\n", files)


def test_two_spellings_of_one_file_have_one_label(tmp_path):
    with pytest.raises(DataError, match=r"line 3: A\.JPG has two labels, cat \(line 2\) and dog"):
        scanned(tmp_path, "file,label\na.jpg,cat\nA.JPG,dog\n", ("a.jpg",))


@pytest.mark.parametrize(
    ("file", "text", "may"),
    [
        ("a.jpg", "x.jpg,a\ny.jpg,b\n", False),  # a is a label where all names have a picture's suffix
        ("a.jpg", "x,a\ny,b\n", True),
        ("a.jpg", "x.jpg 0\ny.jpg 1\nroot/A.PNG 0\n", True),
        ("a.jpg", "x.jpg 0\ny.jpg 1\nroot\\a.jpg 0\n", True),
        ("a.jpg", '{"file": "x/a.jpg", "label": 1}\n', True),
        ("a.jpg", "aa.jpg,1\nba.jpg,2\n", False),
        ("000012.jpg", "1.jpg,0\n12.jpg,1\n", True),
        ("000012.jpg", "1,0\n12.0,1\n", True),
        ("000012.jpg", "11.jpg,12\n13.jpg,12\n", False),
        ("my cat.jpg", "x.jpg,1\n'my cat.jpg',2\n", True),
        ("my cat.jpg", "x.jpg,cat\ny.jpg,my\n", False),
        ("a'.jpg", "x.jpg,1\n", True),  # no word at its end: not known
        ("\u00e9.jpg", "x.jpg,e\u0301\n", True),
        ("\u00e9.jpg", "x.jpg,e\n", False),
        ("a.b.jpg", "x,0\na.b,1\n", True),
        ("x.jpg.jpg", "y.jpg,0\nx.jpg,1\n", True),
    ],
)
def test_a_text_without_any_file_is_known_as_a_whole(file, text, may):
    assert FileNames(["other.jpg", file]).may_be_in(text.encode()) is may
    assert FileNames(["other.jpg", file]).may_be_in((text * 200_000)[: 3 * 2**20].encode()) is may


def test_names_by_number_that_are_not_here_are_none():
    assert ODD.resolve("2") == ([], "") and ODD.resolve("0099.jpg") == ([], "")
