from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from forms import jpeg, make_tar

from evoray.errors import DataError
from evoray.ingest.labels.columns import Asked
from evoray.ingest.sources import open_source
from evoray.ingest.sources.splits import of_split, refuse_several


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
        (
            ("train/000.tar", "val/000.tar"),
            r'several splits \(train, val\)\. Say --split train, .*/train"',
        ),
        (
            ("train_0.parquet", "test_0.parquet"),
            r'\(test, train\)\. Say --split test, .*/\*test\*\.parquet"',
        ),
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


MANY = ("train-00000-of-00002.parquet", "train-00001-of-00002.parquet", "test-00000-of-00001.parquet")


@pytest.mark.parametrize(
    ("names", "asked", "kept"),
    [
        (MANY, "train", "train-00000-of-00002.parquet train-00001-of-00002.parquet"),
        (MANY, "TEST", "test-00000-of-00001.parquet"),
        (MANY, "train, test", " ".join(sorted(MANY))),
        (MANY, "all", " ".join(sorted(MANY))),
        (("train-a-0-of-1.parquet", "train-0-of-1.parquet"), "train", "train-0-of-1.parquet"),
        (("train-a-0-of-1.parquet", "train-0-of-1.parquet"), "train-a", "train-a-0-of-1.parquet"),
        (("in-train-0.tar", "in-val-0.tar", "in-val-1.tar"), "val", "in-val-0.tar in-val-1.tar"),
        (("train/0.tar", "val/0.tar"), "val", "val/0.tar"),
    ],
)
def test_the_files_of_a_split_are_taken(names, asked, kept, tmp_path):
    found, notes = of_split(str(tmp_path), made(tmp_path, *names), asked)
    assert " ".join(path.relative_to(tmp_path).as_posix() for path in found) == kept
    assert len(notes) == 1


@pytest.mark.parametrize(
    ("names", "asked", "message"),
    [
        (MANY, "dev", "no file of the split 'dev'. --split is one of test, train, or all"),
        (MANY, "train,dev", "no file of the split 'dev'"),
        (("0.tar", "1.tar"), "train", "no file of the split 'train'. Leave --split out"),
        (MANY, None, r"several splits \(test, train\)\. Say --split test, or name one"),
    ],
)
def test_a_split_that_no_file_is_of_is_named(names, asked, message, tmp_path):
    with pytest.raises(DataError, match=message):
        of_split(str(tmp_path), made(tmp_path, *names), asked)


def test_a_split_of_tables_and_of_tars_is_taken_and_names_stay_unique(tmp_path):
    for split, label in (("train", 0), ("test", 1)):
        (tmp_path / "p" / split).mkdir(parents=True)
        pq.write_table(pa.table({"image": [b"\x89PNG"], "label": [label]}), tmp_path / "p" / split / "0.parquet")
        make_tar(tmp_path / f"w-{split}.tar", {"1.jpg": jpeg(1), "1.cls": str(label).encode()})
    assert open_source(str(tmp_path / "p"), asked=Asked(split="test")).names == ["0.parquet/0"]
    both = open_source(str(tmp_path / "p"), asked=Asked(split="train,test"))
    assert both.names == ["test/0.parquet/0", "train/0.parquet/0"] and list(both.labels) == [1, 0]
    tars = open_source(str(tmp_path / "w-*.tar"), asked=Asked(split="test"))
    assert list(tars.names) == ["w-test.tar/1.jpg"] and any("splits taken: test" in note for note in tars.notes)
    assert len(open_source(str(tmp_path / "w-*.tar"), asked=Asked(split="all")).names) == 2
