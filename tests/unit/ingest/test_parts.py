from __future__ import annotations

import pytest
from listing import meant

from evoray.errors import DataError
from evoray.ingest.labels.columns import Asked
from evoray.ingest.sources import open_source
from evoray.ingest.sources.registry import are_parts


@pytest.mark.parametrize(
    ("folders", "alone", "listed"),
    [
        (("images_001", "images_002"), True, True),
        (("HAM10000_images_part_1", "HAM10000_images_part_2"), False, True),
        (("part1", "part2"), False, True),
        (("img1", "img2", "img10"), True, True),
        (("Photos 1", "Photos 2"), True, True),
        (("batch_1", "batch_2"), False, True),
        (("images", "other_images"), False, True),
        (("images", "images_resized"), False, True),
        (("image0", "image1"), True, True),
        (("cat", "dog"), False, False),
        (("class1", "class2"), False, False),
        (("1", "2"), False, False),
        (("images_cat1", "images_dog1"), False, False),
        (("cat_images", "dog_images"), False, False),
        (("part_1", "image_2"), False, False),
        (("images_001", "cat"), False, False),
        (("set_a", "set_b"), False, False),
        (("images_001",), False, False),
        (("鳥", "猫"), False, False),
    ],
)
def test_parts_of_a_set_are_known_by_their_names(folders, alone, listed):
    assert (are_parts(folders, False), are_parts(folders, True)) == (alone, listed)


def tree(tmp_path, *names):
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    return str(tmp_path)


CHEST = ("images_001/images/1.png", "images_002/images/2.png", "images_003/images/3.png")


def test_parts_are_asked_about_with_the_list_beside_them(tmp_path):
    root = tree(tmp_path, *CHEST)
    (tmp_path / "Data_Entry_2017.csv").write_text(
        "Image Index,Finding Labels\n1.png,Mass\n2.png,None yet\n3.png,Mass\n"
    )
    with pytest.raises(DataError, match=r"images_001, images_002, .*parts of one set.*--labels .*Data_Entry_2017\.csv"):
        open_source(root)
    source = open_source(root, None, tmp_path / "Data_Entry_2017.csv")
    assert meant(source) == dict(zip(CHEST, ("Mass", "None yet", "Mass"), strict=True))
    assert open_source(root, "folder").classes == ("images_001", "images_002", "images_003")


def test_parts_without_a_list_are_asked_about_too(tmp_path):
    with pytest.raises(DataError, match=r"parts of one set.*--labels LIST.*--format folder"):
        open_source(tree(tmp_path, *CHEST))


@pytest.mark.parametrize("names", [("part1/1.png", "part2/2.png"), ("a/1.png", "b/2.png", "train.csv")])
def test_other_folders_are_classes(names, tmp_path):
    assert len(open_source(tree(tmp_path, *names)).classes) == 2


def test_splits_are_splits_first(tmp_path):
    names = ("train_images/1.png", "test_images/2.png", "train.csv")
    with pytest.raises(DataError, match="splits of one set"):
        open_source(tree(tmp_path, *names), None, None, Asked())
