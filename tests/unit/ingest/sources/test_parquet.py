from __future__ import annotations

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from forms import FILES, parquet
from pictures import SMALL

from evoray.errors import DataError
from evoray.ingest.ingest import ingest_source
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
        (lambda at: table(at, label=[1]), "no column of image bytes"),
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
