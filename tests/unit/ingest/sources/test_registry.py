"""Every form in which users have images is known by its looks, and gives what the ImageFolder tree of them gives."""

from __future__ import annotations

import pytest
from forms import (
    FILES,
    FORMS,
    IMAGES,
    SYNSETS,
    TRUTH,
    by_content,
    flat_by_name,
    jpeg,
    parquet,
    parquet_of_bytes,
    training_tar,
    webdataset,
)
from pictures import SMALL

from evoray.errors import ConfigError, DataError
from evoray.ingest.ingest import ingest_folder, ingest_source
from evoray.ingest.sources import FORMATS, open_source


@pytest.fixture
def tree(tmp_path):
    for name, content in FILES.items():
        folder = tmp_path / "tree" / TRUTH[name]
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return tmp_path / "tree"


@pytest.fixture
def expected(tree, tmp_path):
    ingest_folder(tree, tmp_path / "expected", SMALL, workers=1)
    return by_content(tmp_path / "expected")


@pytest.mark.parametrize("form", FORMS)
def test_a_form_gives_what_the_tree_gives(form, expected, tmp_path):
    source = open_source(str(form(tmp_path)))
    digests = {
        ingest_source(source, tmp_path / f"by{workers}", SMALL, workers=workers, shard_size=5).digest
        for workers in (1, 2)
    }
    assert len(digests) == 1
    assert by_content(tmp_path / "by1") == expected
    assert sorted(tmp_path.glob(".*")) == [], "no copy is left behind"


def test_a_format_that_does_not_exist_is_named(tree):
    with pytest.raises(ConfigError, match="--format zip: give one of ilsvrc, parquet"):
        open_source(str(tree), "zip")


@pytest.mark.parametrize(
    ("form", "kind"),
    [
        (flat_by_name, "flat"),
        (training_tar, "ilsvrc"),
        (webdataset, "webdataset"),
        (lambda tmp_path: tmp_path / "web", "webdataset"),
        (parquet, "parquet"),
        (parquet_of_bytes, "parquet"),
        (lambda tmp_path: tmp_path / "tree", "folder"),
    ],
)
def test_the_first_format_that_finds_itself_is_taken(form, kind, tree, tmp_path):
    webdataset(tmp_path) if form is not webdataset else None
    name = str(form(tmp_path))
    assert next(known for known, one in FORMATS.items() if one.found(name)) == kind


def test_a_named_format_is_not_guessed(tree, tmp_path):
    root = flat_by_name(tmp_path)
    assert len(open_source(str(root), "flat").names) == IMAGES
    with pytest.raises(DataError, match="no class folders"):
        open_source(str(root), "folder")
    assert open_source(str(tree), "folder").classes == SYNSETS


def test_a_folder_that_has_images_and_folders_is_a_tree(tree, tmp_path):
    (tree / "thumbnail.jpg").write_bytes(jpeg(0))
    assert len(open_source(str(tree)).names) == IMAGES


def test_a_list_of_labels_that_is_not_there_is_named(tmp_path):
    root = flat_by_name(tmp_path)
    with pytest.raises(DataError, match=r"absent\.txt: no such file\. Name the list of labels"):
        open_source(str(root), labels=tmp_path / "absent.txt")


def test_what_is_not_there_is_named(tmp_path):
    with pytest.raises(DataError, match="absent: no such directory"):
        open_source(str(tmp_path / "absent"))
    with pytest.raises(DataError, match=r"absent: no such file\. Name ILSVRC2012_img_train\.tar"):
        open_source(str(tmp_path / "absent"), "ilsvrc")
