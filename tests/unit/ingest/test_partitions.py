"""Tables in folders that say a column's value, and tables that name their pictures by path."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from forms import FILES, jpeg
from pictures import SMALL

from evoray.errors import DataError
from evoray.ingest.ingest import ingest_source
from evoray.ingest.labels.columns import Asked
from evoray.ingest.partitions import columns_of, partition_of
from evoray.ingest.sources import open_source
from evoray.ingest.sources.parquet import open_parquet

PNG = b"\x89PNG" + bytes(8)


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("data/label=cat/0.parquet", {"label": "cat"}),
        ("year=2024/label=a%20b/0.parquet", {"label": "a b", "year": "2024"}),
        ("label=__HIVE_DEFAULT_PARTITION__/0.parquet", {"label": None}),
        ("label=cat/more/0.parquet", {}),
        ("x/=cat/0.parquet", {}),
        ("label=a=b/0.parquet", {"label": "a=b"}),
    ],
)
def test_folders_say_the_values_of_columns(path, found):
    assert partition_of(Path(path)) == found


def test_a_column_counts_where_all_files_have_it():
    assert columns_of([Path("a=1/b=2/x"), Path("b=3/x")]) == ["b"]
    assert columns_of([]) == []


def parted(root, column, *values, **columns):
    for value in values:
        folder = root / f"{column}={value}"
        folder.mkdir(parents=True)
        pq.write_table(pa.table({"image": [PNG] * 2, **columns}), folder / "0.parquet")
    return str(root)


@pytest.mark.parametrize(
    ("column", "values", "classes"),
    [
        ("label", ("cat", "dog"), ("cat", "dog")),
        ("class", ("0", "2"), ("0", "1", "2")),
        ("category", ("a%2Fb", "c"), ("a/b", "c")),
        ("label", ("dog", "cat", "owl"), ("cat", "dog", "owl")),
    ],
)
def test_labels_are_read_from_the_folders(column, values, classes, tmp_path):
    source = open_source(parted(tmp_path / "data", column, *values))
    assert source.classes == classes and len(source.labels) == 2 * len(values)
    assert f"labels from the folders' {column}" in source.notes[0]
    assert len(set(source.names)) == len(source.names)
    first = next(n for n, name in enumerate(source.names) if f"={values[0]}/" in name)
    assert source.classes[source.labels[first]] == values[0].replace("%2F", "/")


def test_a_column_of_labels_counts_before_the_folders_and_another_is_named(tmp_path):
    root = parted(tmp_path / "data", "species", "x", "y", label=[0, 1])
    assert open_parquet(root).classes == ("0", "1")
    assert open_parquet(root, Asked(label_column="species")).classes == ("x", "y")


@pytest.mark.parametrize(
    ("column", "values", "message"),
    [
        ("label", ("cat", "__HIVE_DEFAULT_PARTITION__"), "has the label None"),
        ("site", ("a", "b"), "no column of labels .*--label-column"),
        ("label", ("train", "test"), r"several splits"),
    ],
)
def test_folders_that_say_no_label_are_refused(column, values, message, tmp_path):
    with pytest.raises(DataError, match=message):
        open_source(parted(tmp_path / "data", column, *values))


KIND = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
NULLS = pa.struct([("bytes", pa.null()), ("path", pa.string())])


def by_path(root, images, kind=KIND):
    (root / "images").mkdir(parents=True)
    for name, content in list(FILES.items())[:2]:
        (root / "images" / name).write_bytes(content)
    table = pa.table({"image": pa.array(images, kind), "label": list(range(len(images)))})
    (root / "data").mkdir()
    pq.write_table(table, root / "train.parquet")
    return root


def rows(*names, content=None):
    return [{"bytes": content, "path": name} for name in names]


NAMES = [f"images/{name}" for name in list(FILES)[:2]]


@pytest.mark.parametrize("kind", [KIND, NULLS])
def test_a_picture_is_read_by_its_path_where_there_are_no_bytes(kind, tmp_path):
    root = by_path(tmp_path / "set", rows(*NAMES), kind)
    manifest = ingest_source(open_source(str(root / "train.parquet")), tmp_path / "shards", SMALL, workers=1)
    assert (manifest.rows, len(manifest.unreadable)) == (2, 0)


def test_bytes_count_before_a_path(tmp_path):
    own = jpeg(3)
    images = [*rows("images/none.jpg", content=own), *rows(NAMES[0])]
    source = open_source(str(by_path(tmp_path / "set", images) / "train.parquet"))
    source.prepare(tmp_path)
    assert [source.open(record) for record in range(2)] == [own, FILES[Path(NAMES[0]).name]]


def test_a_path_may_begin_at_the_folder_that_was_named(tmp_path):
    root = by_path(tmp_path / "set", rows(*NAMES))
    (root / "train.parquet").rename(root / "data" / "train.parquet")
    source = open_parquet(str(root))
    source.prepare(tmp_path)
    assert source.open(1) == FILES[Path(NAMES[1]).name]


OUT = ["images/none.jpg", "../secret.jpg", "/etc/hostname", "images", "zip://1.jpg::a.zip", "images/link.jpg"]


@pytest.mark.parametrize("name", OUT)
def test_a_path_that_is_no_file_below_is_refused_and_nothing_is_left(name, tmp_path):
    (tmp_path / "secret.jpg").write_bytes(jpeg(1))
    root = by_path(tmp_path / "set", rows(name, name))
    (root / "images" / "link.jpg").symlink_to(tmp_path / "secret.jpg")
    with pytest.raises(DataError, match=r"train\.parquet: no row has an image's bytes.*Copy the images there"):
        ingest_source(open_source(str(root / "train.parquet")), tmp_path / "shards", SMALL, workers=1)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["secret.jpg", "set"]


@pytest.mark.parametrize("name", OUT)
def test_beside_others_it_is_listed_as_unreadable(name, tmp_path):
    (tmp_path / "secret.jpg").write_bytes(jpeg(1))
    root = by_path(tmp_path / "set", rows(NAMES[0], name))
    (root / "images" / "link.jpg").symlink_to(tmp_path / "secret.jpg")
    manifest = ingest_source(open_source(str(root / "train.parquet")), tmp_path / "shards", SMALL, workers=1)
    assert [one.source for one in manifest.unreadable] == ["train.parquet/1"]


@pytest.mark.parametrize(
    ("folders", "classes"),
    [
        (("label=cat", "label=dog"), ("cat", "dog")),
        (("class=b%20c", "class=d"), ("b c", "d")),
        (("label=2", "label=10"), ("10", "2")),
        (("label=cat", "dog"), ("dog", "label=cat")),
        (("x=1", "x=2"), ("x=1", "x=2")),
        (("label=", "label=a"), ("label=", "label=a")),
    ],
)
def test_class_folders_may_say_a_columns_value(folders, classes, tmp_path):
    for folder in folders:
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "1.jpg").touch()
    source = open_source(str(tmp_path))
    assert source.classes == classes
    said = any("say a column's value" in note for note in source.notes)
    assert said == (not any("=" in name for name in classes))


@pytest.mark.parametrize(
    "folders",
    [("images", "masks"), ("images", "labels"), ("JPEGImages", "Annotations", "SegmentationClass"), ("imgs", "gt")],
)
def test_pictures_beside_their_annotations_are_no_classes(folders, tmp_path):
    for folder in folders:
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "1.png").touch()
    with pytest.raises(DataError, match=r"are pictures and their annotations, no class folders\. Name .* --labels"):
        open_source(str(tmp_path))
    assert len(open_source(str(tmp_path), asked=Asked(split="none")).classes) == len(folders)


@pytest.mark.parametrize("folders", [("images", "cat"), ("masks", "labels"), ("images", "masks", "hats")])
def test_folders_of_such_names_among_others_are_classes(folders, tmp_path):
    for folder in folders:
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "1.png").touch()
    assert open_source(str(tmp_path)).classes == tuple(sorted(folders))
