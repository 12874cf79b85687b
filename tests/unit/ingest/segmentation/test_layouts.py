import pytest

from evoray.errors import ConfigError, DataError
from evoray.ingest.segmentation.layouts import CITYSCAPES, VOC_CLASSES, Layout, by_names, layout_of
from evoray.ingest.segmentation.palette import UNLABELLED


@pytest.fixture
def tree(tmp_path):
    def make(*paths):
        for path in paths:
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).write_text("a\nb\n")
        return tmp_path

    return make


def test_two_folders_that_are_named(tree):
    root = tree("x/1.jpg", "y/1.png")
    found = layout_of(root / "x", root / "y", None)
    assert (found.images, found.masks, found.split, found.palette) == (root / "x", root / "y", None, None)


@pytest.mark.parametrize("masks", ["masks", "labels", "SegmentationClass", "annotations"])
def test_pictures_beside_annotations(tree, masks):
    root = tree("images/1.jpg", f"{masks}/1.png", "readme.txt")
    assert layout_of(root, None, None).masks == root / masks


@pytest.mark.parametrize("paths", [("x/1.jpg", "y/1.png"), ("images/1.jpg",), ("images/1.jpg", "masks/1", "labels/1")])
def test_folders_that_say_nothing(tree, paths):
    with pytest.raises(ConfigError, match=r"which folder holds the masks.*--masks"):
        layout_of(tree(*paths), None, None)


def test_a_folder_that_is_not_there(tree):
    with pytest.raises(DataError, match="no such directory"):
        layout_of(tree("x/1.jpg") / "x", tree() / "no", None)


def test_splits_in_both_folders(tree):
    root = tree("images/train/1.jpg", "images/val/2.jpg", "masks/train/1.png", "masks/val/2.png")
    with pytest.raises(DataError, match=r"train, val in it. Say which with --split, or all"):
        layout_of(root, None, None)
    found = layout_of(root, None, "val")
    assert [found.takes(name) for name in ("val/2.jpg", "train/1.jpg")] == [True, False]
    assert layout_of(root, None, "all").takes("train/1.jpg")
    with pytest.raises(DataError, match="--split test is no folder of both"):
        layout_of(root, None, "test")


def test_pascal_voc(tree):
    sets = "ImageSets/Segmentation"
    root = tree("JPEGImages/a.jpg", "SegmentationClass/a.png", f"{sets}/train.txt", f"{sets}/val.txt")
    with pytest.raises(DataError, match="train, val in ImageSets/Segmentation"):
        layout_of(root, None, None)
    found = layout_of(root, None, "val")
    assert found.classes == VOC_CLASSES and found.listed == {"a", "b"} and not found.takes("c.jpg")
    assert layout_of(root, None, "all").listed == {"a"}
    with pytest.raises(DataError, match=r"no other.txt"):
        layout_of(root, None, "other")


def test_cityscapes_label_ids_are_its_19_classes(tree):
    layout = Layout(tree(), tree())
    found = by_names(layout, ["a/x_gtFine_labelIds.png"]).palette
    assert found.classes == tuple(CITYSCAPES.values()) and len(found.classes) == 19
    assert [found.labels[number] for number in (7, 33, 0, 255)] == [0, 18, UNLABELLED, UNLABELLED]
    assert by_names(layout, ["x_labelTrainIds.png"]).classes == found.classes


def test_ade20k_leaves_label_0_out(tree):
    found = by_names(Layout(tree(), tree()), ["training/ADE_train_00000001.png"]).palette
    assert [found.labels[number] for number in (0, 1, 150)] == [UNLABELLED, 0, 149] and len(found.classes) == 150
    assert by_names(Layout(tree(), tree()), ["ADE_train_1.png", "x.png"]).palette is None
