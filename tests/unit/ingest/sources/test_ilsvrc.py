from __future__ import annotations

import pytest
from forms import FILES, IMAGES, SYNSETS, TRUTH, make_devkit, make_tar, training_tar, validation_tar
from pictures import SMALL

from evoray.errors import DataError
from evoray.ingest.ingest import ingest_folder, ingest_source
from evoray.ingest.sources import open_source
from evoray.ingest.sources.ilsvrc import TRAIN, VALIDATION, find_tar, open_tar


@pytest.fixture
def tree(tmp_path):
    for name, content in FILES.items():
        folder = tmp_path / "tree" / TRUTH[name]
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return tmp_path / "tree"


def test_the_training_tar_is_the_tree_to_the_byte(tree, tmp_path):
    one = ingest_folder(tree, tmp_path / "a", SMALL, workers=1)
    other = ingest_source(open_source(str(training_tar(tmp_path))), tmp_path / "b", SMALL, workers=1)
    assert one == other


def test_labels_are_torchvisions_indices_and_names_are_image_folders(tmp_path):
    source = open_tar(training_tar(tmp_path) / TRAIN, None)
    assert source.classes == SYNSETS
    assert list(source.names) == sorted(f"{synset}/{name}" for name, synset in TRUTH.items())
    for record, name in enumerate(source.names):
        synset, _, file = name.partition("/")
        assert source.classes[source.labels[record]] == synset
        assert source.open(record) == FILES[file]


def test_validation_images_go_by_their_names_order_and_the_devkits_truth(tmp_path):
    source = open_tar(validation_tar(tmp_path), None)
    assert list(source.names) == sorted(FILES) and source.classes == SYNSETS
    assert {name: SYNSETS[label] for name, label in zip(source.names, source.labels, strict=True)} == TRUTH
    assert [source.open(record) for record in range(IMAGES)] == [FILES[name] for name in sorted(FILES)]


def test_the_devkit_may_be_named(tmp_path):
    (tmp_path / "far" / "away").mkdir(parents=True)
    (tmp_path / "tars").mkdir()
    kit = make_devkit(tmp_path / "far" / "away" / "ILSVRC2012_devkit_t12.tar.gz")
    tar = make_tar(tmp_path / "tars" / VALIDATION, FILES)
    assert list(open_tar(tar, kit).labels) == [SYNSETS.index(TRUTH[name]) for name in sorted(FILES)]


def test_a_tar_is_found_by_its_name_or_in_its_folder(tmp_path):
    assert find_tar(tmp_path) is None and find_tar(tmp_path / VALIDATION) is None
    tar = make_tar(tmp_path / VALIDATION, FILES)
    assert find_tar(tmp_path) == find_tar(tar) == tar
    assert find_tar(make_tar(tmp_path / "other.tar", FILES)) is None


def test_another_number_of_images_than_the_devkits_is_refused(tmp_path):
    make_devkit(tmp_path / "ILSVRC2012_devkit_t12.tar.gz")
    tar = make_tar(tmp_path / VALIDATION, dict(list(FILES.items())[1:]))
    with pytest.raises(DataError, match=r"labels for 12 images, and .* holds 11"):
        open_tar(tar, None)


def test_an_empty_tar_is_named(tmp_path):
    with pytest.raises(DataError, match=r"img_train\.tar: an empty tar"):
        open_tar(make_tar(tmp_path / TRAIN, {}), None)


def both_tars(tmp_path):
    for name in (VALIDATION, TRAIN):
        make_tar(tmp_path / name, {})
    return tmp_path


def no_devkit(tmp_path):
    (tmp_path / "x").mkdir()
    return make_tar(tmp_path / "x" / VALIDATION, FILES)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (both_tars, "Name the one to ingest"),
        (no_devkit, r"devkit_t12\.tar\.gz"),
    ],
)
def test_what_cannot_be_read_is_named(make, message, tmp_path):
    with pytest.raises(DataError, match=message):
        open_source(str(make(tmp_path)))
