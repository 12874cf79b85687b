"""CUB-200-2011 and NABirds: lists in several files."""

from __future__ import annotations

import pytest
from listing import meant, scanned

from evoray.errors import DataError
from evoray.ingest.labels.joined import is_joined

FILES = ("001.A/x_1.jpg", "001.A/y_2.jpg", "002.B/x_3.jpg")
CUB = {
    "images.txt": "1 001.A/x_1.jpg\n2 001.A/y_2.jpg\n3 002.B/x_3.jpg\n",
    "image_class_labels.txt": "1 1\n2 1\n3 2\n",
    "train_test_split.txt": "1 1\n2 0\n3 1\n",
    "classes.txt": "1 001.A\n2 002.B\n",
}


def birds(tmp_path, name="images.txt", without=(), asked=(), **changed):
    beside = {other: text for other, text in CUB.items() if other not in without}
    beside |= {key.replace("__", "."): text for key, text in changed.items()}
    return scanned(tmp_path, beside[name], FILES, name, beside, **dict(asked))


@pytest.mark.parametrize("name", list(CUB))
def test_any_of_the_files_names_them_all(name, tmp_path):
    with pytest.raises(DataError, match=r"is_training_img divides .*\(1: 2, 0: 1\).*--only is_training_img=1;"):
        birds(tmp_path, name)
    source = birds(tmp_path, name, asked={"only": "is_training_img=1"})
    assert meant(source) == {"001.A/x_1.jpg": "001.A", "002.B/x_3.jpg": "002.B"}
    assert meant(birds(tmp_path, name, asked={"only": "is_training_img=0"})) == {"001.A/y_2.jpg": "001.A"}
    assert len(meant(birds(tmp_path, name, asked={"only": "is_training_img=0,1"}))) == 3


def test_classes_are_numbers_without_names_or_where_names_sort_otherwise(tmp_path):
    without = ("train_test_split.txt", "classes.txt")
    assert list(meant(birds(tmp_path, without=without)).values()) == ["1", "1", "2"]
    source = birds(tmp_path, without=without[:1], classes__txt="1 Swan\n2 Duck, Goose\n")
    assert list(meant(source).values()) == ["1", "1", "2"]
    source = birds(tmp_path, without=without[:1], classes__txt="1 Duck, Goose\n2 Swan\n")
    assert source.classes == ("Duck, Goose", "Swan")


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"image_class_labels__txt": "1 1\n2 1\n"}, r"image_class_labels\.txt: no line for the image 3 of images\.txt"),
        ({"train_test_split__txt": "1 1\n3 1\n"}, r"train_test_split\.txt: no line for the image 2"),
        ({"image_class_labels__txt": "1 1\n2\n3 1\n"}, r"image_class_labels\.txt, line 2: '2' is no id"),
        ({"images__txt": "1 001.A/x_1.jpg\n1 001.A/y_2.jpg\n"}, r"images\.txt, line 2: the id 1 again"),
        ({"images__txt": "\n"}, r"images\.txt: empty"),
        ({"images__txt": "1 else.jpg\n2 where.jpg\n3 there.jpg\n"}, "None of its files is here"),
    ],
)
def test_files_that_do_not_fit_are_refused(changed, message, tmp_path):
    with pytest.raises(DataError, match=message):
        birds(tmp_path, asked={"only": "is_training_img=0,1"}, **changed)


def test_a_list_of_such_a_name_alone_is_an_ordinary_one(tmp_path):
    assert not is_joined(tmp_path / "images.txt")
    assert meant(scanned(tmp_path, "a.jpg cat\nb.jpg dog\n", ("a.jpg", "b.jpg"), "images.txt")) == {
        "a.jpg": "cat",
        "b.jpg": "dog",
    }
