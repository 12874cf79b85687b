from __future__ import annotations

import json
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from forms import FILES, parquet
from pictures import SMALL

from evoray.errors import DataError, UsageError
from evoray.ingest.ingest import ingest_source
from evoray.ingest.labels.columns import Asked
from evoray.ingest.sources import open_source
from evoray.ingest.sources.parquet import open_parquet


def two_splits(tmp_path):
    first = next((parquet(tmp_path) / "data").iterdir())
    first.with_name("train-00000-of-00001.parquet").write_bytes(first.read_bytes())
    return tmp_path / "hub"


def table(tmp_path, **columns):
    pq.write_table(pa.table(columns), tmp_path / "bad.parquet")
    return tmp_path / "bad.parquet"


def text_file(tmp_path, name):
    (tmp_path / name).write_text("text")
    return tmp_path / name


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (two_splits, r"several splits \(train, validation\).*train-\*"),
        (lambda at: table(at, label=[1]), "no column of image bytes.*as bytes"),
        (lambda at: table(at, image=[b"x"]), "no column of labels"),
        (lambda at: table(at, image=[b"x"], label=[None]), "row 0 of column label has the label None"),
        (lambda at: table(at, image=[b"x"], label=[-1]), "row 0 of column label has the label -1"),
        (lambda at: table(at, image=[b"x", b"y"], label=["a", ""]), "row 1 of column label has the label ''"),
        (lambda at: table(at, image=[b"x"], label=[0.5]), r"row 0 of column label: the label 0\.5 is a measurement"),
        (lambda at: text_file(at, "a.parquet"), "no Parquet file"),
    ],
)
def test_what_cannot_be_read_is_named(make, message, tmp_path):
    with pytest.raises(DataError, match=message):
        open_source(str(make(tmp_path)))


def test_a_row_without_bytes_is_listed(tmp_path):
    table(tmp_path, image=[next(iter(FILES.values())), None], label=[0, 1])
    manifest = ingest_source(open_source(str(tmp_path / "bad.parquet")), tmp_path / "shards", SMALL, workers=1)
    assert [one.source for one in manifest.unreadable] == ["bad.parquet/1"]


def prepared(path, directory):
    source = open_parquet(str(path))
    source.prepare(directory)
    return source


def test_images_can_be_read_at_random_once_they_are_copied(tmp_path):
    contents = [bytes([number]) * (number * 40) for number in range(70)]
    table(tmp_path, image=contents, label=[number % 3 for number in range(70)])
    source = prepared(tmp_path / "bad.parquet", tmp_path)
    for record in (69, 0, 33, 1, 69):
        assert source.open(record) == contents[record]
    assert source.names[69] == "bad.parquet/69"


def test_a_copy_that_is_there_is_not_made_again(tmp_path):
    table(tmp_path, image=[b"one", b"two"], label=[0, 1])
    prepared(tmp_path / "bad.parquet", tmp_path)
    made = (tmp_path / "images.bin").stat().st_mtime_ns
    source = prepared(tmp_path / "bad.parquet", tmp_path)
    assert (tmp_path / "images.bin").stat().st_mtime_ns == made
    assert source.open(1) == b"two"


def test_a_copy_that_was_cut_off_is_made_again(tmp_path):
    table(tmp_path, image=[b"one", b"two"], label=[0, 1])
    (tmp_path / "images.bin").write_bytes(b"on")
    assert prepared(tmp_path / "bad.parquet", tmp_path).open(1) == b"two"


def test_names_sort_and_numbers_count(tmp_path):
    assert open_parquet(str(table(tmp_path, image=[b"x"] * 3, label=["b", "a", "b"]))).labels == [1, 0, 1]
    source = open_parquet(str(table(tmp_path, image=[b"x"] * 2, label=[3, 1])))
    assert (source.classes, source.labels) == (("0", "1", "2", "3"), [3, 1])


def test_the_usual_names_of_columns_come_first(tmp_path):
    table(tmp_path, thumbnail=[b"small"], image=[b"large"], number=[0], label=[2])
    source = prepared(tmp_path / "bad.parquet", tmp_path)
    assert (source.open(0), source.labels) == (b"large", [2])


@pytest.mark.parametrize("label", [2, -1])
def test_a_label_beyond_the_names_of_the_metadata_is_refused(label, tmp_path):
    features = {"label": {"_type": "ClassLabel", "names": ["a", "b"]}}
    content = pa.table({"image": [b"x"], "label": [label]})
    pq.write_table(
        content.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})}),
        tmp_path / "a.parquet",
    )
    with pytest.raises(DataError, match=r"row 0 of column label has the label (2|-1), beyond the 2 classes"):
        open_parquet(str(tmp_path / "a.parquet"))


def test_files_of_other_columns_are_refused(tmp_path):
    pq.write_table(pa.table({"image": [b"x"], "label": [1]}), tmp_path / "a.parquet")
    pq.write_table(pa.table({"image": [b"x"], "label": ["1"]}), tmp_path / "b.parquet")
    with pytest.raises(DataError, match=r"b\.parquet: its columns are not those of .*a\.parquet"):
        open_parquet(str(tmp_path))


def test_a_table_without_rows_and_a_folder_without_tables_are_named(tmp_path):
    with pytest.raises(DataError, match=r"no \.parquet files"):
        open_parquet(str(tmp_path))
    pq.write_table(
        pa.table({"image": pa.array([], pa.binary()), "label": pa.array([], pa.int64())}), tmp_path / "a.parquet"
    )
    with pytest.raises(DataError, match="no rows in it"):
        open_parquet(str(tmp_path))


PNG = b"\x89PNG\r\n\x1a\n"


def written(path, metadata=None, **columns):
    content = pa.table(columns)
    if metadata is not None:
        content = content.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": metadata}})})
    pq.write_table(content, path)
    return path


def class_names(source):
    return [source.classes[label] for label in source.labels]


@pytest.mark.parametrize(
    ("labels", "expected", "classes"),
    [
        (pa.array([1.0, 0.0]), ["1", "0"], ("0", "1")),
        (pa.array([True, False]), ["true", "false"], ("false", "true")),
        (pa.array([True, True]), ["true", "true"], ("false", "true")),
        (pa.array(["b", "a"]).dictionary_encode(), ["b", "a"], ("a", "b")),
        (pa.array(["b", "a"], pa.large_string()), ["b", "a"], ("a", "b")),
        (pa.array(["10", "9"]), ["10", "9"], tuple(map(str, range(11)))),
        (pa.array([3, 1], pa.uint8()), ["3", "1"], ("0", "1", "2", "3")),
        (pa.array([b"b", b"a"], pa.binary()), ["b", "a"], ("a", "b")),
        (pa.array([1, 0], pa.float32()), ["1", "0"], ("0", "1")),
        (pa.array([Decimal("2"), Decimal("0")]), ["2", "0"], ("0", "1", "2")),
        (pa.array(["golden retriever", "tabby"]), ["golden retriever", "tabby"], ("golden retriever", "tabby")),
        (pa.array(["e\u0301t", "\u00e9t"]), ["\u00e9t", "\u00e9t"], ("\u00e9t",)),
    ],
)
def test_labels_of_every_kind_of_column(labels, expected, classes, tmp_path):
    source = open_parquet(str(written(tmp_path / "a.parquet", image=[PNG] * 2, label=labels)))
    assert (class_names(source), source.classes) == (expected, classes)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (pa.array([1, None]), "row 1 of column label has the label None"),
        (pa.array(["a", None]).dictionary_encode(), "row 1 of column label has the label None"),
        (pa.nulls(2), "row 0 of column label has the label None"),
        (pa.array([1.0, float("nan")]), "row 1 of column label has the label nan"),
        (pa.array([[0], [1]]), r"row 0 of column label has the label \[0\]: several labels"),
        (pa.array([[0, 1], [1]], pa.list_(pa.int64())), "several labels"),
        (pa.array([{"x": 1}, {"x": 2}]), "several labels, or none"),
        (pa.array([0.1, 0.9]), r"the label 0\.1 is a measurement"),
        (pa.array(["a", "a|b"]), "row 1 of column label: a|b is a list of several"),
        (pa.array(["0", "1 0"]), "is a list of several labels"),
        (pa.array([0, 10**12]), "row 1 of column label: the label 1000000000000 is no class's number"),
        (pa.array([float("inf"), 1.0]), "among 1 numbers"),
        (pa.array([0, 86400], pa.timestamp("s")), "several labels, or none"),
    ],
)
def test_labels_that_are_no_class_are_refused(labels, message, tmp_path):
    with pytest.raises(DataError, match=message):
        open_parquet(str(written(tmp_path / "a.parquet", image=[PNG] * 2, label=labels)))


def test_the_row_of_a_bad_label_is_that_of_its_file(tmp_path):
    written(tmp_path / "a.parquet", image=[PNG] * 2, label=[0, 1])
    written(tmp_path / "b.parquet", image=[PNG], label=[-1])
    with pytest.raises(DataError, match=r"b\.parquet: row 0 of column label has the label -1"):
        open_parquet(str(tmp_path))


IMAGE, CLASSES = {"_type": "Image"}, {"_type": "ClassLabel", "names": ["a", "b"]}
STRUCT = [{"bytes": PNG, "path": "x"}]


@pytest.mark.parametrize(
    ("columns", "metadata", "image", "label"),
    [
        ({"photo": [PNG], "label": [0]}, None, "photo", "label"),
        ({"image": STRUCT, "embedding": [b"\0\1"], "label": [0]}, None, "image", "label"),
        ({"hash": [b"\0\1"], "photo": [PNG], "label": [0]}, None, "photo", "label"),
        ({"image": STRUCT, "mask": [PNG], "label": [0]}, {"image": IMAGE}, "image", "label"),
        ({"image": [PNG], "label": [0], "label_text": ["x"]}, {"label": CLASSES}, "image", "label"),
        ({"image": [PNG], "kind": [0], "label": ["x"]}, {"kind": CLASSES}, "image", "kind"),
        ({"image": [PNG], "Category": ["x"], "width": [3]}, None, "image", "Category"),
        ({"image": [PNG], "diagnosis": [3], "id": ["x"]}, None, "image", "diagnosis"),
        ({"image": [PNG], "fine_label": [0]}, None, "image", "fine_label"),
    ],
)
def test_the_columns_that_were_taken_are_said(columns, metadata, image, label, tmp_path):
    source = open_parquet(str(written(tmp_path / "a.parquet", metadata, **columns)))
    assert source.column == image
    assert source.notes[0] == f"Parquet of 1 files: images from column {image}, labels from {label}"


TWO = {"image": [PNG], "mask": [PNG], "fine_label": [1], "coarse_label": [0], "score": [0.5]}


@pytest.mark.parametrize(
    ("columns", "metadata", "message"),
    [
        ({"image": [PNG], "image2": [PNG], "label": [0]}, None, "columns image, image2 hold images.*--file-column"),
        ({"image": STRUCT, "mask": STRUCT, "label": [0]}, {"image": IMAGE, "mask": IMAGE}, "columns image, mask hold"),
        ({"image": [b"x"], "img": [b"y"], "label": [0]}, None, "columns image, img hold images"),
        ({"image": [PNG], "label": [0], "target": [1]}, None, "columns label, target.*--label-column"),
        ({"image": [PNG], "fine_label": [0], "coarse_label": [1]}, None, "columns fine_label, coarse_label"),
        ({"image": [PNG], "x": [0], "y": [1]}, {"x": CLASSES, "y": CLASSES}, "columns x, y.*--label-column"),
        ({"image": [PNG], "width": [1]}, None, r"no column of labels \(label, class, target, …\) among image, width"),
    ],
)
def test_two_columns_that_could_be_it_are_asked_about(columns, metadata, message, tmp_path):
    with pytest.raises(DataError, match=message):
        open_parquet(str(written(tmp_path / "a.parquet", metadata, **columns)))


def test_columns_are_taken_by_name(tmp_path):
    written(tmp_path / "a.parquet", **TWO)
    source = open_parquet(str(tmp_path / "a.parquet"), Asked("mask", "coarse_label"))
    assert (source.column, source.labels) == ("mask", [0])
    with pytest.raises(DataError, match=r"no column colour\. --label-column is one of image, mask, fine_label"):
        open_parquet(str(tmp_path / "a.parquet"), Asked("mask", "colour"))
    with pytest.raises(DataError, match="the column score holds double, no image bytes"):
        open_parquet(str(tmp_path / "a.parquet"), Asked("score", "fine_label"))


def test_files_with_other_class_names_are_refused(tmp_path):
    written(tmp_path / "a.parquet", {"label": CLASSES}, image=[PNG], label=[0])
    written(tmp_path / "b.parquet", {"label": {**CLASSES, "names": ["b", "a"]}}, image=[PNG], label=[0])
    with pytest.raises(DataError, match=r"b\.parquet: its class names are not those of .*a\.parquet"):
        open_parquet(str(tmp_path))


def test_a_file_that_is_damaged_behind_its_schema_is_named(tmp_path):
    path = written(tmp_path / "a.parquet", image=[PNG * 99] * 50, label=list(range(50)))
    content = bytearray(path.read_bytes())
    content[4 : len(content) // 2] = bytes(len(content) // 2 - 4)
    content[len(content) // 2 : len(content) // 2 + 60] = b"\xff" * 60
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"a\.parquet: (damaged|no Parquet file)"):
        open_parquet(str(path)).prepare(tmp_path)


@pytest.mark.parametrize("huggingface", [b"[", b"[]", b'{"info": 1}', b'{"info": {"features": [1, 2]}}', b"[" * 10**5])
def test_metadata_of_another_shape_is_none(huggingface, tmp_path):
    content = pa.table({"image": [PNG], "label": [1]}).replace_schema_metadata({"huggingface": huggingface})
    pq.write_table(content, tmp_path / "a.parquet")
    assert open_parquet(str(tmp_path / "a.parquet")).classes == ("0", "1")


def test_a_column_of_labels_that_unpacks_to_gigabytes_is_none(tmp_path, monkeypatch):
    monkeypatch.setattr("evoray.ingest.sources.parquet.LARGEST_LABELS", 2000)
    written(tmp_path / "a.parquet", image=[PNG], label=["a" * 100])
    written(tmp_path / "b.parquet", image=[PNG], label=["a" * 3000])
    assert len(open_parquet(str(tmp_path / "a.parquet")).classes) == 1
    with pytest.raises(DataError, match="the column label unpacks to more than 2,000 bytes"):
        open_parquet(str(tmp_path / "b.parquet"))


def test_a_name_of_a_column_that_is_no_text_is_damage(tmp_path):
    path = written(tmp_path / "a.parquet", imagename=[PNG], label=[0])
    path.write_bytes(path.read_bytes().replace(b"imagename", b"image\xffame"))
    with pytest.raises(DataError, match=r"a\.parquet: no Parquet file, or damaged"):
        open_parquet(str(path))


WORDS = ["None", "NA", "null", "nan", "NaN", "N/A"]


def test_words_for_nothing_are_names_in_a_column_of_strings(tmp_path):
    source = open_parquet(str(table(tmp_path, image=[b"x"] * len(WORDS), label=WORDS)))
    assert source.classes == tuple(sorted(WORDS))
    assert [source.classes[label] for label in source.labels] == WORDS
    said = "taken as names of classes, not as missing labels: N/A, NA, NaN, None, nan, null"
    assert any(said in note for note in source.notes)


@pytest.mark.parametrize("label", [[None, "cat"], [float("nan"), 1.0], ["", "cat"]])
def test_a_null_is_no_name(label, tmp_path):
    with pytest.raises(DataError, match=r"row 0 of column label has the label .*cannot be judged"):
        open_parquet(str(table(tmp_path, image=[b"x", b"y"], label=label)))


def test_tags_and_measurements_are_asked_about_by_column(tmp_path):
    path = str(table(tmp_path, image=[b"x"] * 30, age=list(range(20, 50))))
    with pytest.raises(DataError, match=r"row 0 of column age: 30 different whole numbers.*called age.*--as-classes"):
        open_parquet(path, Asked(label_column="age"))
    assert len(open_parquet(path, Asked(label_column="age", as_classes=True)).classes) == 50
    path = str(table(tmp_path, image=[b"x"] * 2, tags=["haze primary", "clear primary"]))
    with pytest.raises(DataError, match="called tags: several tags a file"):
        open_parquet(path)


PICTURES = list(FILES.values())


def divided(tmp_path, name, values):
    pictures = [PICTURES[row % len(PICTURES)] for row in range(len(values))]
    return str(table(tmp_path, image=pictures, label=list("abcabc"[: len(values)]), **{name: values}))


@pytest.mark.parametrize(
    ("name", "values", "words"),
    [
        (
            "split",
            ["train", "test", "train"],
            r"column split divides the images \(train: 2, test: 1\).*--only split=tr",
        ),
        ("is_train", [True, False, True], r"\(True: 2, False: 1\).*--only is_train=True"),
        ("fold_set", ["a", "b", "a"], None),
        ("Usage", ["Public", "Private", "Private"], "--only Usage=Private"),
        ("partition", [0, 1, 2], r"--only partition=0; for all of them --only partition=0,1,2"),
        ("subset", [b"train", b"val", b"val"], "--only subset=val"),
        ("split", ["train", None, "train"], r"train: 2, \(empty\): 1"),
        ("split", ["train", "train", "train"], None),
        ("phase", ["arterial", "venous", "venous"], None),
    ],
)
def test_a_column_of_splits_is_asked_about(name, values, words, tmp_path):
    path = divided(tmp_path, name, values)
    if words is None:
        assert len(open_source(path).names) == 3
        return
    with pytest.raises(DataError, match=words):
        open_source(path)


@pytest.mark.parametrize(
    ("only", "rows"), [("split=test", [1, 4]), ("split=test,val", [1, 2, 4]), ("SPLIT=Train", [0, 3]), ("site=O", [0])]
)
def test_only_takes_rows_with_their_own_pictures(only, rows, tmp_path):
    pictures = [PICTURES[row % len(PICTURES)] + b"\0" * row for row in range(5)]  # told apart by what follows them
    for part, rest in (("a", slice(0, 2)), ("b", slice(2, 5))):
        columns = {
            "image": pictures,
            "label": list("abcab"),
            "split": ["train", "test", "val", "train", "test"],
            "site": list("OPQRS"),
        }
        pq.write_table(pa.table({key: one[rest] for key, one in columns.items()}), tmp_path / f"{part}.parquet")
    source = open_source(str(tmp_path), "parquet", None, Asked(only=only))
    (tmp_path / "spool").mkdir()
    source.prepare(tmp_path / "spool")
    assert [source.open(at) for at in range(len(source.names))] == [pictures[row] for row in rows]
    assert [source.classes[label] for label in source.labels] == ["abcab"[row] for row in rows]
    assert source.names == [f"a.parquet/{row}" if row < 2 else f"b.parquet/{row - 2}" for row in rows]
    assert any(f"{len(rows)} of 5 rows count" in note for note in source.notes)


@pytest.mark.parametrize(
    ("only", "words"),
    [
        ("split=dev", "no dev in the column split, which holds"),
        ("kind=a", "no column kind"),
        ("split", "give a column"),
    ],
)
def test_only_names_a_column_and_values_that_are_there(only, words, tmp_path):
    with pytest.raises(UsageError, match=words):
        open_source(divided(tmp_path, "split", ["train", "test", "val"]), None, None, Asked(only=only))
