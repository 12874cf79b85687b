"""A test set that is what the search sees is refused under any name; sets that only name images alike are not."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from PIL import Image

from evoray.data import open_dataset
from evoray.data.checks.overlap import check_apart
from evoray.data.transform import ImageTransform
from evoray.errors import DataError
from evoray.ingest.ingest import ingest_folder

KEPT = ImageTransform(resize=None, crop=None)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Trees of noise: ``own``, and ``other`` whose images have the same names and other pixels."""
    root = tmp_path_factory.mktemp("trees")
    for seed, tree in enumerate(("own", "other")):
        random = np.random.default_rng(seed)
        for label in "ab":
            (root / tree / label).mkdir(parents=True)
            for number in range(12):
                pixels = random.integers(0, 256, (6, 6, 3), np.uint8)
                Image.fromarray(pixels).save(root / tree / label / f"{number}.png")
    ingest_folder(root / "own", root / "shards", KEPT, workers=1, shard_size=10)
    return root


def shards(made, tree, name, **options):
    dest = made / name
    if not dest.exists():
        ingest_folder(made / tree, dest, KEPT, **{"workers": 1, "shard_size": 10, **options})
    return open_dataset(str(dest))


def own(made):
    return open_dataset(str(made / "shards"))


def test_itself(made):
    with pytest.raises(DataError, match=r"data.test_path: the same images as data.path.*Leave it out"):
        check_apart(own(made), own(made))


def test_a_copy_of_the_folder(made):
    shutil.copytree(made / "shards", made / "copied", dirs_exist_ok=True)
    with pytest.raises(DataError, match="the same images"):
        check_apart(own(made), open_dataset(str(made / "copied")))


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("another-order", {"seed": 7}),
        ("other-shards", {"shard_size": 3}),
        ("one-shard", {"shard_size": 100}),
        ("fewer", {"per_class": 3}),
        ("fewer-otherwise", {"per_class": 2, "seed": 5}),
    ],
)
def test_the_same_images_made_into_shards_otherwise(made, name, options):
    other = shards(made, "own", name, **options)
    assert other.digest != own(made).digest
    with pytest.raises(DataError, match=r"images that were compared are in data\.path as well"):
        check_apart(own(made), other)
    with pytest.raises(DataError, match=r"images that were compared are in data\.path as well"):
        check_apart(other, own(made))


def test_images_that_are_only_named_alike(made):
    check_apart(own(made), shards(made, "other", "unlike"))


def test_a_few_images_in_common_are_no_copy(made):
    tree = made / "mixed"
    if not tree.exists():
        shutil.copytree(made / "other", tree)
        shutil.copy(made / "own" / "a" / "0.png", tree / "a" / "0.png")
    check_apart(own(made), shards(made, "mixed", "few"))


def test_other_names(made):
    tree = made / "renamed"
    if not tree.exists():
        for file in (made / "other").rglob("*.png"):
            (tree / file.parent.name).mkdir(parents=True, exist_ok=True)
            shutil.copy(file, tree / file.parent.name / f"x{file.name}")
    check_apart(own(made), shards(made, "renamed", "renamed-shards"))


@pytest.mark.parametrize(("one", "other"), [("mnist5k", "mnist5k"), ("mock:images=9,size=4", "mock:images=9,size=4")])
def test_packaged_and_mock_images_by_their_digest(one, other):
    with pytest.raises(DataError, match="the same images"):
        check_apart(open_dataset(one), open_dataset(other))


@pytest.mark.parametrize(
    ("one", "other"), [("mnist5k", "mnist5k-train"), ("mock:images=9,size=4", "mock:images=9,size=4,seed=1")]
)
def test_sets_of_their_own(one, other):
    check_apart(open_dataset(one), open_dataset(other))


def test_damage_is_said_by_its_file(made):
    shutil.copytree(made / "shards", made / "damaged", dirs_exist_ok=True)
    other = shards(made, "own", "another-order", seed=7)
    (made / "damaged" / "shard-00000.arrow").write_bytes(b"no Arrow")
    with pytest.raises(DataError, match=r"shard-00000\.arrow"):
        check_apart(open_dataset(str(made / "damaged")), other)
