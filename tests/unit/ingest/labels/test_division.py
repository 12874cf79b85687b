"""Columns that say train or test: asked about, filtered by, or said."""

from __future__ import annotations

import pytest
from listing import meant, scanned

from evoray.errors import ConfigError, DataError
from evoray.ingest.labels.division import is_split, merged

FILES = ("a.jpg", "b.jpg", "c.jpg")


@pytest.mark.parametrize(
    ("name", "values", "split"),
    [
        ("split", {"train", "val"}, True),
        ("Split", {"TRAIN", "Test"}, True),
        ("Usage", {"Public", "Private"}, True),
        ("is_training_img", {"0", "1"}, True),
        ("isTrain", {"True", "False"}, True),
        ("evaluation_status", {"0", "1", "2"}, True),
        ("set", {"dev"}, True),
        ("part_of_it", {"train", "valid"}, True),
        ("phase", {"arterial", "venous"}, False),
        ("subset", {"a", "b"}, False),
        ("train", {"steam", "diesel"}, False),
        ("age", {"0", "1"}, False),
        ("split", {""}, False),
        ("word", {"train"}, False),
        ("fold", {"0", "1", "2"}, False),
    ],
)
def test_a_column_of_splits_is_known_by_name_and_values(name, values, split):
    assert is_split(name, values) is split


def table(name, *values):
    rows = "".join(f"{file},{label},{value}\n" for file, label, value in zip(FILES, "xyx", values, strict=True))
    return f"file,label,{name}\n{rows}"


@pytest.mark.parametrize(
    ("name", "values", "message"),
    [
        (
            "split",
            ("train", "test", "train"),
            r"the column split divides .*train: 2, test: 1.*--only split=train; ",
        ),
        ("split", ("train", "val", "test"), "for all of them --only split=train,val,test"),
        ("is_training_img", ("0", "0", "1"), "--only is_training_img=0"),
        ("is_train", ("True", "False", "True"), "--only is_train=True"),
        ("Usage", ("Private", "Public", "Public"), "--only Usage=Public"),
        ("x", ("train", "val", "val"), "--only x=val"),
        ("split", ("train", "", "train"), r"train: 2, \(empty\): 1"),
    ],
)
def test_images_of_several_splits_are_asked_about(name, values, message, tmp_path):
    with pytest.raises(DataError, match=message):
        scanned(tmp_path, table(name, *values), FILES)


@pytest.mark.parametrize(
    ("only", "files"),
    [
        ("split=train", "ac"),
        ("split=test", "b"),
        ("Split=TEST", "b"),
        ("split= train , test ", "abc"),
        ("3=train", "ac"),
    ],
)
def test_the_lines_that_count_are_taken_and_the_others_images_left(only, files, tmp_path):
    source = scanned(tmp_path, table("split", "train", "test", "train"), FILES, only=only)
    assert source.names == [f"{one}.jpg" for one in files]
    assert source.classes == ("x", "y"), "of all lines: train and test have the same classes"
    assert any(note.startswith("--only") and note.endswith(f"{len(files)} of 3 lines count") for note in source.notes)
    assert source.open(0) == b""


def test_numbers_are_compared_as_such_and_any_column_filters(tmp_path):
    assert scanned(tmp_path, table("fold", "0", "1.0", "2"), FILES, only="fold=1,2").names == ["b.jpg", "c.jpg"]
    assert scanned(tmp_path, table("camera", "left", "left", "right"), FILES, only="camera=right").names == ["c.jpg"]


def test_images_of_one_split_are_no_question(tmp_path):
    source = scanned(tmp_path, table("split", "val", "val", "val") + "d.jpg,z,train\n", FILES)
    assert len(source.names) == 3 and "columns left aside: split" in source.notes


def test_images_of_folds_are_taken_all_and_it_is_said(tmp_path):
    source = scanned(tmp_path, table("fold", "0", "1", "2"), FILES)
    assert len(source.names) == 3 and "columns left aside: fold" in source.notes


def test_images_without_a_label_may_be_left_out(tmp_path):
    text = "file,label,split\na.jpg,x,train\nb.jpg,,test\nc.jpg,y,train\n"
    assert meant(scanned(tmp_path, text, FILES, only="split=train")) == {"a.jpg": "x", "c.jpg": "y"}
    with pytest.raises(DataError, match="line 3 has the label ''"):
        scanned(tmp_path, text, FILES, only="split=test,train")


@pytest.mark.parametrize(
    ("only", "error", "message"),
    [
        ("split=val", DataError, "no val in the column split, which holds train, test"),
        ("split=", DataError, "no .* in the column split, which holds train, test"),
        ("part=val", DataError, "no column part. --only is one of file, label, split"),
        ("train", ConfigError, "--only train: give a column and its values, such as --only split=train,val"),
        ("=train", ConfigError, "give a column and its values"),
    ],
)
def test_a_filter_that_cannot_be_is_refused(only, error, message, tmp_path):
    with pytest.raises(error, match=message):
        scanned(tmp_path, table("split", "train", "test", "train"), FILES, only=only)


def test_a_list_without_columns_has_none_to_filter_by(tmp_path):
    with pytest.raises(DataError, match="no table, so it has no columns"):
        scanned(tmp_path, "x\ny\nx\n", FILES, only="split=train")


CITIES = ("Paris, FR", 'the "5,5"', "Rome")


def cities():
    rows = "".join(
        f'{name},x,"{city.replace(chr(34), chr(34) * 2)}"\n' for name, city in zip(FILES, CITIES, strict=True)
    )
    return f"file,label,city\n{rows}"


@pytest.mark.parametrize(
    ("only", "files"),
    [
        ('city="Paris, FR"', "a"),
        ("city=Paris, FR", "a"),
        ('city="paris, fr",Rome', "ac"),
        ('city=Rome, "Paris, FR"', "ac"),
        ('city="the ""5,5"""', "b"),
        ('city=the "5,5"', "b"),
        ("city=rome", "c"),
        (merged(['city="Paris, FR"', "city=Rome"]), "ac"),
        (merged(["city=Rome", 'City="the ""5,5"""', 'city="Paris, FR"']), "abc"),
    ],
)
def test_a_value_may_have_a_comma_in_it(only, files, tmp_path):
    assert scanned(tmp_path, cities(), FILES, only=only).names == [f"{file}.jpg" for file in files]


@pytest.mark.parametrize("only", ["city=Paris", 'city="Paris, FR", "Bonn"', "city=Rome, FR"])
def test_a_value_that_is_not_there_is_named_with_those_that_are(only, tmp_path):
    with pytest.raises(DataError, match=r"--only .*: no (paris|bonn|fr) in the column city, which holds Paris, FR"):
        scanned(tmp_path, cities(), FILES, only=only)


@pytest.mark.parametrize(
    ("given", "expected"),
    [([], None), (["split=train"], "split=train"), (["split=train", "Split=val"], "split=train,val"), (["x"], "x")],
)
def test_the_values_of_a_column_that_is_named_twice_are_all_taken(given, expected):
    assert merged(given) == expected


def test_two_columns_are_refused():
    with pytest.raises(ConfigError, match=r"--only names 2 columns \(split=train, city=Rome\): give values of one"):
        merged(["split=train", "city=Rome"])


def test_the_answer_that_is_offered_can_be_given(tmp_path):
    text = "file,label,data split\na.jpg,x,train\nb.jpg,y,test\nc.jpg,x,train\n"
    with pytest.raises(DataError, match="such as --only 'data split=train'; for all of them --only 'data split=tra"):
        scanned(tmp_path, text, FILES)
