from __future__ import annotations

import pytest
from pictures import GREY, grey_records, make_tree

from evoray.begin.init.data import find_data, shards_name, usual
from evoray.errors import ConfigError, DataError
from evoray.ingest.ingest import ingest_dataset


def test_class_folders_are_counted(tmp_path):
    tree = make_tree(tmp_path / "tree", per_class=2)
    found = find_data(str(tree), False)
    assert (found.source, found.path, found.task, found.classes) == (str(tree), "", "image-classification", 3)
    assert any("6 images of 3 classes" in line for line in found.said)


def test_shards_are_taken_as_they_are(tmp_path):
    ingest_dataset(grey_records(23), tmp_path / "shards", GREY, shard_size=10)
    found = find_data(str(tmp_path / "shards"), False)
    assert (found.path, found.source, found.task) == (str(tmp_path / "shards"), "", "image-classification")


@pytest.mark.parametrize("named", ["mnist5k", "mock:images=60,size=16,classes=4"])
def test_data_that_comes_with_evoray_has_no_source(named):
    assert (find_data(named, False).path, find_data(named, False).source) == (named, "")


def test_a_table_has_columns(tmp_path):
    (tmp_path / "a.csv").write_text("a,b,name\n1,2.5,x\n3,4,y\n")
    found = find_data(str(tmp_path / "a.csv"), False)
    assert (found.columns, found.numeric, found.task) == (("a", "b", "name"), ("a", "b"), "")
    assert "a table of 2 records; columns a, b, name" in found.said[0]


def test_a_table_that_names_images_is_their_list(tmp_path):
    tree = make_tree(tmp_path / "tree", per_class=2)
    names = sorted(path.name for path in (tree / "class0").iterdir())
    flat = tmp_path / "data" / "images"
    flat.parent.mkdir()
    (tree / "class0").rename(flat)
    labels = flat.parent / "labels.csv"
    labels.write_text("file,label\n" + "".join(f"{name},{number % 2}\n" for number, name in enumerate(names)))
    found = find_data(str(labels), False)
    assert found.source == str(flat) and found.options == ("--labels", str(labels)) and found.classes == 2


def test_a_function_is_looked_for_and_not_called(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "datafound.py").write_text("def made():\n    raise AssertionError\n")
    found = find_data("datafound:made", False)
    assert (found.source, found.task) == ("datafound:made", "")
    with pytest.raises(ConfigError, match="absent"):
        find_data("datafound:absent", False)


def test_what_is_not_there_or_not_known_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="--data '': no name"):
        find_data("", False)
    with pytest.raises(DataError, match="no such"):
        find_data(str(tmp_path / "absent"), False)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError):
        find_data(str(tmp_path / "empty"), False)


@pytest.mark.parametrize(
    ("source", "name"), [("a/photos/", "photos"), ("x.csv", "x"), ("m:make", "make"), ("a/my data!", "my-data-")]
)
def test_shards_are_called_after_their_source(source, name):
    assert shards_name(source) == name


def test_columns_are_known_by_usual_names():
    assert usual(("A", "Target"), ("y", "target")) == "Target"
    assert usual(("a",), ("y",)) is None
