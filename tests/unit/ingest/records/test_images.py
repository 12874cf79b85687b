"""Images with targets: the bytes of classification, and each image's own numbers beside it."""

from __future__ import annotations

import numpy as np
import pytest
from forms import FILES

from evoray.data.reader import open_shards, read_manifest
from evoray.errors import ConfigError, DataError
from evoray.ingest.ingest import ingest_source
from evoray.ingest.options import Options, chosen
from evoray.ingest.records.images import ingest_images, targets_of
from evoray.ingest.records.writing import Wanted
from evoray.ingest.sources.folder import FolderSource
from evoray.runtime.progress import Progress

TARGETS = {name: (number % 2, (number // 2) % 2, number / 7) for number, name in enumerate(sorted(FILES))}
SMALL = {"resize": "16", "crop": 12, "workers": 1, "shard_size": 5}


def listing(rows):
    return "".join(["file,a,b,y\n", *(f"{name},{a},{b},{y}\n" for name, (a, b, y) in rows.items())])


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "pictures").mkdir()
    for name, content in FILES.items():
        (tmp_path / "pictures" / name).write_bytes(content)
    (tmp_path / "list.csv").write_text(listing(TARGETS))
    return tmp_path / "pictures"


def made(folder, task="multi-label", targets=("a", "b"), **more):
    options = Options(**SMALL, labels=folder.parent / "list.csv", **more)
    return ingest_images(folder, folder.parent / "shards", Wanted(task, (), targets, 0, 5, task), options, Progress())


@pytest.mark.parametrize(
    ("task", "targets", "kind"), [("multi-label", ("a", "b"), "uint8"), ("regression", ("y",), "float64")]
)
def test_images_are_those_of_classification_and_targets_their_own(folder, tmp_path, task, targets, kind):
    manifest = made(folder, task, targets)
    options = Options(**SMALL)
    source = FolderSource(folder, ("image",), sorted(FILES), [0] * len(FILES))
    ingest_source(source, tmp_path / "plain", chosen(options)[0], workers=1, shard_size=5)
    plain, shards = open_shards(tmp_path / "plain"), open_shards(tmp_path / "shards")
    assert shards.shard_rows == plain.shard_rows and shards.image_shape == plain.image_shape == (3, 12, 12)
    assert manifest.columns["target"].type == kind and manifest.read["transform"]["crop"] == 12
    for index in range(len(plain.shard_rows)):
        one, other = shards.load(index), plain.load(index)
        assert one.sources == other.sources and np.array_equal(one.images, other.images)
        own = [TARGETS[name][:2] if task == "multi-label" else TARGETS[name][2:] for name in one.sources]
        assert one["target"].tolist() == [list(row) for row in own]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["list.csv", "pictures", "plain", "shards"]


def test_words_beside_images_for_a_task_of_ones_own(folder):
    lines = [f"{name},word {number},{number}\n" for number, name in enumerate(sorted(FILES))]
    (folder.parent / "list.csv").write_text("".join(["file,word,y\n", *lines]))
    options = Options(**SMALL, labels=folder.parent / "list.csv")

    def ingest(*targets):
        wanted = Wanted("mine:Words", (), targets, 0, 5, "regression", words=True)
        return ingest_images(folder, folder.parent / "shards", wanted, options, Progress())

    with pytest.raises(ConfigError, match="--target: word, y; words stand in one column"):
        ingest("word", "y")
    with pytest.raises(DataError, match=r"column y holds int64, not words. Quote them, in .jsonl"):
        ingest("y")
    assert ingest("word").columns["target"].type == "string"
    shards = open_shards(folder.parent / "shards")
    known = {name: f"word {number}" for number, name in enumerate(sorted(FILES))}
    for one in map(shards.load, range(len(shards.shard_rows))):
        assert one["target"] == [known[name] for name in one.sources] and one.images.shape[1:] == (3, 12, 12)


def test_a_file_that_is_no_picture_is_listed_and_left_out(folder):
    first = sorted(FILES)[0]
    (folder / first).write_bytes(b"<html>404</html>")
    manifest = made(folder)
    assert manifest.rows == len(FILES) - 1 and [one.source for one in manifest.unreadable] == [first]
    assert read_manifest(folder.parent / "shards") == manifest


ROWS = list(TARGETS.items())
LISTS = {
    "an image is not listed": (listing(dict(ROWS[1:])), "1 of 12 images are not listed; the first: ILSVRC"),
    "an image twice": (listing(TARGETS) + f"{ROWS[0][0]},1,1,1\n", "record 12 .*listed before"),
    "no file column": (listing(TARGETS).replace("file,", "q,"), "no column is called as those of files"),
    "two file columns": (listing(TARGETS).replace("y\n", "path\n"), "2 columns may name the images"),
    "an empty cell": (listing(TARGETS).replace(f"{ROWS[3][0]},1", f"{ROWS[3][0]},"), "column a, record 3 .*: empty"),
    "no such column": (listing(TARGETS).replace(",b,", ",c,"), "--target b"),
    "no label": (listing(TARGETS).replace(f"{ROWS[3][0]},1", f"{ROWS[3][0]},3"), "record 3 .*the label 3"),
}


@pytest.mark.parametrize("name", LISTS)
def test_a_list_that_does_not_fit(folder, name):
    text, says = LISTS[name]
    (folder.parent / "list.csv").write_text(text)
    with pytest.raises((DataError, ConfigError), match=says):
        made(folder)
    assert sorted(path.name for path in folder.parent.iterdir()) == ["list.csv", "pictures"]


def test_a_listed_image_that_is_not_there_and_names_without_suffix(folder):
    text = listing(TARGETS | {"gone.JPEG": (1, 1, 1.0)}).replace(".JPEG,", ",")
    (folder.parent / "list.csv").write_text(text)
    found = targets_of(folder.parent / "list.csv", sorted(FILES), Wanted("regression", (), ("y",)), None)
    assert [found.values[found.row[name]].item() for name in sorted(FILES)] == [row[2] for _, row in ROWS]


def test_what_is_missing_is_asked_for(folder):
    for wanted, options in (
        (Wanted("multi-label", (), ("a",)), Options()),
        (Wanted("multi-label"), Options(labels=folder.parent / "list.csv")),
    ):
        with pytest.raises(ConfigError, match="give --labels with a table, --target for each"):
            ingest_images(folder, folder.parent / "s", wanted, options, Progress())
    with pytest.raises(ConfigError, match="its records are no images"):
        ingest_images(folder, folder.parent / "s", Wanted("x"), Options(), Progress())
