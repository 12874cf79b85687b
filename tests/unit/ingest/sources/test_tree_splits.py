from __future__ import annotations

import pytest

from evoray.errors import ConfigError, DataError
from evoray.ingest.labels.columns import Asked
from evoray.ingest.sources import FolderSource, open_source
from evoray.ingest.sources.tree_splits import split_name


def tree(root, *folders, images=1):
    """Each folder with images of that number in it; a name that ends with / stays without."""
    for folder in folders:
        (root / folder).mkdir(parents=True, exist_ok=True)
        for number in range(images if not folder.endswith("/") else 0):
            (root / folder / f"{number}.png").touch()
    return root


def product(first, second):
    return [f"{one}/{two}" for one in first for two in second]


CATS = ("cat", "dog")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("train", "train"), ("Train", "train"), ("TRAINING", "training"), ("train_2019", "train 2019"),
        ("val2017", "val 2017"), ("train_images", "train"), ("TestSet", "test"), ("seg_train", "train"),
        ("images_background", "background"), ("images_evaluation", "evaluation"), ("fold1", "fold 1"),
        ("fold_0", "fold 0"), ("Fold-10", "fold 10"), ("split2", "split 2"), ("cv3", "cv 3"), ("trainA", "train"),
        ("background", None), ("fold", None), ("constraint", None), ("trainer", None), ("cat", None), ("part1", None),
        ("traindata", "train"), ("imgtest", "test"), ("ValImages", "val"), ("contest", None), ("trainee", None),
        ("2019", None), ("testimony", None), ("n01440764", None), ("", None),
    ],
)  # fmt: skip
def test_a_name_says_which_split_it_is(name, value):
    found = split_name(name)
    assert (found.value if found is not None else None) == value


@pytest.mark.parametrize(
    "folders",
    [
        product(("0", "1"), ("train", "test")),
        product(CATS, ("Train", "Val", "Test")),
        product(CATS, ("fold1", "fold2")),
        product(CATS, ("train_2019", "val_2019")),
        product(CATS, ("images/train", "images/test")),
        ["cat/train", "cat/test", "dog/train", "bird"],
        ["cat/train", "dog/test"],
        ["cat", "cat/test", "dog", "dog/test"],
        ["cat/cat_train", "cat/cat_test", "dog/dog_train", "dog/dog_test"],
        product(CATS, ("train/a", "train/b", "test/a")),
    ],
)
def test_splits_below_the_classes_are_asked_about(folders, tmp_path):
    with pytest.raises(DataError, match=r"splits of one set\. Take one with --split \w+, or all .*--split all"):
        FolderSource.scan(tree(tmp_path, *folders))
    source = FolderSource.scan(tree(tmp_path, *folders), split="all")
    assert len(source.names) == len(folders)
    assert source.classes == tuple(sorted({folder.partition("/")[0] for folder in folders}))


@pytest.mark.parametrize(
    "folders",
    [
        product(("train_2019", "val_2019"), CATS),
        product(("train2017", "val2017"), CATS),
        product((f"fold{number}" for number in range(1, 6)), CATS),
        product(("fold_0", "fold_1"), CATS),
        product(("images_background", "images_evaluation"), CATS),
        ["images_background/Latin/1", "images_evaluation/Greek/1"],
        product(("food_train", "food_test"), CATS),
        product(("training_set", "test_set"), CATS),
        [*product(("seg_train", "seg_test"), CATS), "seg_pred"],
        product(("TrainingData", "TestingData"), CATS),
        product(("part1", "part2"), CATS),
        product(("batch_0", "batch_1"), CATS),
        [*product(("train",), CATS), "annotations/"],
        [*product(("trainset", "valset"), CATS), "notes/"],
        product(("split1", "split2"), CATS),
        ["fold1", "fold2"],
        ["train", "test", "extra"],
        ["train", "val", "cat", "dog"],
        [*product(("seg_train/seg_train", "seg_test/seg_test"), CATS), "seg_pred/seg_pred"],
        product(("train/train", "test/test"), CATS),
        product(("traindata", "testdata"), CATS),
        product(("trainimages", "valimages"), CATS),
        [*product(("train_images",), CATS), "test_images", "samples"],
        [*product(("img_train", "img_val"), CATS), "extra/a", "extra/b"],
    ],
)
def test_splits_above_the_classes_are_asked_about(folders, tmp_path):
    with pytest.raises(DataError, match=r"splits of one set, not classes\. Name one: .*--split all; --split none"):
        FolderSource.scan(tree(tmp_path, *folders))


@pytest.mark.parametrize(
    "folders",
    [
        ["bus", "car", "train"],
        ["bus", "train", "test_tube"],
        ["vehicles/car", "vehicles/train", "tools/hammer"],
        ["vehicles/freight_train", "vehicles/bullet_train", "tools/hammer"],
        ["background", "foreground"],
        ["fold", "crease"],
        ["part1", "part2", "part3"],
        ["set_1", "set_2"],
        ["cat/train", "dog/train"],
        ["cat/part1", "cat/part2", "dog/part1"],
        ["BACKGROUND_Google", "accordion"],
        ["2019", "2020"],
        ["evaluation", "report"],
        ["cat", "dog", "test/"],
        ["test_1", "test_2", "cat"],
        ["contest", "protest"],
    ],
)
def test_what_only_sounds_like_a_split_is_a_class(folders, tmp_path):
    source = FolderSource.scan(tree(tmp_path, *folders))
    assert source.classes == tuple(sorted({folder.partition("/")[0] for folder in folders}))
    assert len(source.names) == sum(not folder.endswith("/") for folder in folders)


@pytest.mark.parametrize(
    "folders", [["cat_train", "cat_test", "dog_train", "dog_test"], ["trainA", "testA", "trainB", "testB"]]
)
def test_classes_and_splits_in_one_name_are_asked_about(folders, tmp_path):
    with pytest.raises(DataError, match=r"classes and splits in one name\. Make a tree .* --split none where each"):
        FolderSource.scan(tree(tmp_path, *folders))
    assert FolderSource.scan(tmp_path, split="none").classes == tuple(sorted(folders))


def test_one_split_below_the_classes_is_taken(tmp_path):
    tree(tmp_path, *product(("0", "1"), ("train", "test")), "2/train", "1")
    source = FolderSource.scan(tmp_path, split="test")
    assert (source.classes, source.names, source.labels) == (("0", "1", "2"), ["0/test/0.png", "1/test/0.png"], [0, 1])
    assert "splits taken: test; 4 images of others are left out" in source.notes
    assert any("1 class folders without images" in note for note in source.notes)


def test_splits_above_the_classes_are_taken_together(tmp_path):
    tree(tmp_path, *product(("fold1", "fold2", "fold3"), CATS), "fold2/ant", "fold1/bee/")
    source = FolderSource.scan(tmp_path, split="fold1,Fold2")
    assert source.classes == ("ant", "bee", "cat", "dog")
    assert source.names[:2] == ["fold1/cat/0.png", "fold1/dog/0.png"]
    assert source.labels == [2, 3, 0, 2, 3]
    assert "splits taken: fold1, fold2; 2 images of others are left out" in source.notes
    assert len(FolderSource.scan(tmp_path, split="all").names) == 7
    alone = FolderSource.scan(tmp_path / "fold1")
    same = FolderSource.scan(tmp_path, split="fold1")
    assert (alone.classes, alone.labels) == (same.classes, same.labels)
    assert same.open(0) == b""


def test_a_split_that_is_not_there_is_named(tmp_path):
    tree(tmp_path, *product(CATS, ("train", "test")))
    with pytest.raises(DataError, match=r"no split 'val'\. --split is one of test, train, several"):
        FolderSource.scan(tmp_path, split="val")
    with pytest.raises(DataError, match=r"no splits in it, train and test or the like\. Leave --split out"):
        FolderSource.scan(tree(tmp_path / "plain", *CATS), split="train")
    with pytest.raises(DataError, match="no images in class folders below train"):
        FolderSource.scan(tree(tmp_path / "direct", "train", "test"), split="train")


def test_folders_above_the_class_folders_are_named_down_to_the_last(tmp_path):
    with pytest.raises(DataError, match=r"holds one folder, archive/set, .*\(cat, dog\)\. Name it: .*/archive/set"):
        FolderSource.scan(tree(tmp_path, *product(("archive/set",), CATS)))


def test_the_same_folders_in_every_class_are_said(tmp_path):
    """Office-31 has a folder a camera: ImageFolder takes the cameras for classes."""
    source = FolderSource.scan(tree(tmp_path, *product(("amazon", "webcam"), ("bike", "mug"))))
    assert source.classes == ("amazon", "webcam")
    assert any("all class folders hold folders of the same names (bike, mug)" in note for note in source.notes)
    assert len(FolderSource.scan(tree(tmp_path / "b", "a/x", "a/y", "b/x", "b/z", "c")).notes) == 1


def test_other_formats_have_no_use_for_it(tmp_path):
    (tmp_path / "a.parquet").touch()
    with pytest.raises(DataError, match=r"a\.parquet: no file of the split 'train'\. Leave --split out"):
        open_source(str(tmp_path / "a.parquet"), asked=Asked(split="train"))
    (tmp_path / "1.jpg").touch()
    with pytest.raises(ConfigError, match=r"--split train: .* is read as flat\. Name one split's files"):
        open_source(str(tmp_path), asked=Asked(split="train"))


DOUBLED = [
    (product(("train/train", "test/test"), CATS), "test", "train"),
    ([*product(("seg_train/seg_train", "seg_test/seg_test"), CATS), "seg_pred/seg_pred"], "seg_test", "seg_train"),
    (product(("train/training", "test/testing"), CATS), "test", "train"),
    (product(("train/train_images", "val/val_images"), CATS), "val", "train"),
    (product(("train/images", "test/images"), CATS), "test", "train"),
    (product(("train/train/train", "test"), CATS), "test", "train"),
    (product(("fold1/fold1", "fold2/fold2"), CATS), "fold2", "fold1"),
]


@pytest.mark.parametrize(("folders", "one", "other"), DOUBLED)
def test_a_split_folder_in_its_own_is_no_class(folders, one, other, tmp_path):
    root = tree(tmp_path, *folders)
    for split in (one, other, "all", f"{one},{other}"):
        source = FolderSource.scan(root, split=split)
        assert source.classes == CATS, split
        assert all(f"/{CATS[label]}/" in name for name, label in zip(source.names, source.labels, strict=True))
        tops = {name.partition("/")[0] for name in source.names}
        assert tops == ({one, other} if split in ("all", f"{one},{other}") else {split})
        assert any("the class folders are those in" in note for note in source.notes) or split == "test"


def test_a_doubled_split_keeps_class_folders_without_images(tmp_path):
    root = tree(tmp_path, *product(("train/train", "test/test"), CATS), "train/train/ant/", "train/train/.hidden/")
    assert FolderSource.scan(root, split="train").classes == ("ant", *CATS)
    assert FolderSource.scan(root, split="test").classes == CATS


@pytest.mark.parametrize(
    ("folders", "split", "classes"),
    [
        (["train/cat", "test/cat"], "train", ("cat",)),
        (["train/cat/a", "train/cat/b", "test/cat", "test/dog"], "train", ("cat",)),
        (["images_background/Latin/1", "images_evaluation/Greek/1"], "all", ("Greek", "Latin")),
    ],
)
def test_one_class_in_a_split_is_a_class(folders, split, classes, tmp_path):
    assert FolderSource.scan(tree(tmp_path, *folders), split=split).classes == classes


@pytest.mark.parametrize("split", ["train", "all"])
def test_another_folder_between_a_split_and_its_classes_is_asked_about(split, tmp_path):
    root = tree(tmp_path, *product(("train/animals", "test/animals"), CATS))
    with pytest.raises(DataError, match=r"holds one folder, animals, .*\(cat, dog\)\. Name it: .*/animals$"):
        FolderSource.scan(root, split=split)


def test_a_doubled_split_without_class_folders_is_refused(tmp_path):
    root = tree(tmp_path, "train/train", "test/test")
    with pytest.raises(DataError, match="no images in class folders below train"):
        FolderSource.scan(root, split="train")
