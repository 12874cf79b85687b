from __future__ import annotations

from pathlib import Path

import pytest

from evoray.errors import DataError
from evoray.ingest.sources.splits import refuse_several


def made(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return sorted(path for path in root.rglob("*") if path.is_file())


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (
            ("in1k-train-000.tar", "in1k-validation-00.tar"),
            r'several splits \(train, validation\)\. .*/\*train\*\.tar"',
        ),
        (("train/000.tar", "val/000.tar"), r'several splits \(train, val\)\. Name one, such as ".*/train"'),
        (("train_0.parquet", "test_0.parquet"), r'\(test, train\)\. Name one, such as ".*/\*test\*\.parquet"'),
        (("Train.tar", "Dev.tar"), r"\(dev, train\)"),
        (("x/training/0.tar", "x/testing/0.tar"), r"\(testing, training\)"),
        (("test-set-train-0.tar", "test-set-val-0.tar"), r"\(test-train, test-val\)"),
    ],
)
def test_splits_side_by_side_are_asked_about(names, message, tmp_path):
    with pytest.raises(DataError, match=message):
        refuse_several(str(tmp_path), made(tmp_path, *names))


@pytest.mark.parametrize(
    "names",
    [
        ("train-000.tar", "train-001.tar"),
        ("train-000.tar", "extra-000.tar"),
        ("0.tar", "1.tar"),
        ("constraint-0.tar", "validity-1.tar"),
        ("val/0.tar", "val/1.tar"),
        ("a/0.tar", "b/0.tar"),
    ],
)
def test_files_of_one_split_are_one(names, tmp_path):
    refuse_several(str(tmp_path), made(tmp_path, *names))


def test_folders_above_the_named_one_say_nothing(tmp_path):
    refuse_several(str(tmp_path / "train"), made(tmp_path / "train", "val/0.tar"))
    refuse_several("train/val-*.tar", [Path("train/val-0.tar"), Path("train/val-1.tar")])
