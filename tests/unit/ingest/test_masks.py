from __future__ import annotations

import pytest

from evoray.errors import DataError
from evoray.ingest.sources import FolderSource


def scanned(tmp_path, *names, split=None):
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    return FolderSource.scan(tmp_path, split=split)


def of(*folders, files=("1.png", "2.png")):
    return [f"{folder}/{file}" for folder in folders for file in files]


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (
            of("covid/images", "covid/masks", "normal/images", "normal/masks"),
            "images, masks, .*annotations.*--split im",
        ),
        (of("covid/images", "covid/masks", "normal"), "images, masks"),
        (of("a/x/imgs", "a/x/label", "b/y/imgs", "b/y/label"), "imgs, label"),
        (of("a/JPEGImages", "a/annotations", "b/JPEGImages"), "JPEGImages, annot.*--split JPEGI"),
        (of("a", "a/masks", "b", "b/masks"), r"a/masks/1\.png, a/masks/2\.png.* 4 in all.*--split none"),
        (of("a", "b", files=("1.png", "2.png", "1_mask.png", "2_mask.png")), r"a/1_mask\.png.* 4 in all"),
        (
            of("benign", "normal", files=("b (1).png", "b (1)_mask.png", "b (2).jpg", "b (2)_mask_1.png")),
            "seem to be m",
        ),
        (of("a", "b", files=("1.jpg", "1_segmentation.png", "2.jpg", "2_Segmentation.png")), "1_segmentation"),
        (of("a", "b", files=("x.jpg", "x-gt.png", "y.jpg", "y-gt.png")), "x-gt"),
        ([*of("a", files=[f"{n}.jpg" for n in range(18)]), "a/1_seg.png", "a/2_seg.png", "b/1.jpg"], "a/1_seg"),
    ],
)
def test_masks_are_no_images_of_a_class_unasked(names, words, tmp_path):
    with pytest.raises(DataError, match=words):
        scanned(tmp_path, *names)
    assert FolderSource.scan(tmp_path, split="none").names == sorted(names, key=lambda name: name.split("/"))


@pytest.mark.parametrize(
    "names",
    [
        of("with_mask", "without_mask", files=("with_mask_1.png", "2.png")),
        of("mask", "no_mask"),
        of("a", "b", files=("1_mask.png", "2_mask.png")),
        of("cat/images", "dog/images"),
        of("cat/label", "dog/label"),
        [*of("a", files=[f"{n}.jpg" for n in range(40)]), "a/1_mask.jpg", "a/2_mask.jpg", "b/1.jpg"],
        of("a/images", "a/masks/deep", "b/images"),
        of("images", "photos"),
        of("a", "b", files=("1.png", "1_2.png", "1_copy.png")),
    ],
)
def test_other_names_are_images(names, tmp_path):
    assert len(scanned(tmp_path, *names).names) == len(names)


def test_the_pictures_alone_are_taken_where_that_is_said(tmp_path):
    source = scanned(
        tmp_path, *of("covid/images", "covid/annotations", "flu/img", "flu/gt", "none"), split="images,img"
    )
    assert source.names == of("covid/images", "flu/img", "none")
    assert [source.classes[label] for label in source.labels] == ["covid", "covid", "flu", "flu", "none", "none"]
    assert any("splits taken: images, img; 4 images of others are left out" in note for note in source.notes)
