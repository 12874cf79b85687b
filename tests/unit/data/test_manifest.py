from __future__ import annotations

import hashlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pictures import SMALL, make_tree

from evoray.data import ImageTransform, Manifest, open_dataset
from evoray.data.manifest import ShardEntry, Unreadable
from evoray.errors import DataError
from evoray.ingest.ingest import ingest_folder

ENTRIES = (
    ShardEntry(file="shard-00000.arrow", rows=3, bytes=2_700, sha256="0" * 64),
    ShardEntry(file="shard-00001.arrow", rows=2, bytes=1_600, sha256="1" * 64),
)
MANIFEST = Manifest(
    image_shape=(3, 16, 16),
    classes=("katze", "größe"),
    transform=ImageTransform(resize=20, crop=16),
    decoder="pillow 1.2.3",
    order_seed=7,
    rows=5,
    shards=ENTRIES,
    unreadable=(Unreadable(source="a/b.JPEG", error="OSError: cut"),),
)
CONTENT = MANIFEST.to_json().encode()


@pytest.fixture
def tree(tmp_path):
    return make_tree(tmp_path / "tree")


def test_what_is_written_is_read_back(tmp_path):
    (tmp_path / "manifest.json").write_bytes(CONTENT)
    assert Manifest.read(tmp_path) == MANIFEST


def test_the_digest_is_that_of_all_other_keys():
    values = json.loads(CONTENT)
    stated = values.pop("sha256")
    canonical = json.dumps(values, sort_keys=True, separators=(",", ":")).encode()
    assert stated == MANIFEST.digest == hashlib.sha256(canonical).hexdigest()


@pytest.mark.parametrize(
    "change",
    [
        {"classes": ("größe", "katze")},
        {"order_seed": 8},
        {"decoder": "pillow 1.2.4"},
        {"per_class": 3},
        {"unreadable": ()},
        {"transform": ImageTransform(resize=20, crop=16, interpolation="bicubic")},
        {"shards": ENTRIES[::-1]},
    ],
)
def test_the_digest_depends_on_every_key(change):
    assert MANIFEST.model_copy(update=change).digest != MANIFEST.digest


@given(st.integers(0, len(CONTENT) - 1), st.integers(1, 255))
def test_no_byte_can_change(at, by):
    edited = CONTENT[:at] + bytes([CONTENT[at] ^ by]) + CONTENT[at + 1 :]
    with pytest.raises(DataError, match=r"^some/manifest\.json: damaged[ ,].*Ingest the images again\."):
        Manifest.parse(edited, "some/manifest.json")


@given(st.integers(0, len(CONTENT) - 1))
def test_no_byte_can_be_missing(length):
    with pytest.raises(DataError, match=r"^some/manifest\.json: damaged"):
        Manifest.parse(CONTENT[:length], "some/manifest.json")


def test_rows_that_do_not_add_up_are_refused_under_a_right_digest():
    wrong = MANIFEST.model_copy(update={"rows": 6}).to_json().encode()
    with pytest.raises(DataError, match="rows do not add up"):
        Manifest.parse(wrong, "manifest.json")


@pytest.mark.parametrize("key", ["classes", "shards", "image_shape"])
def test_a_key_that_is_missing_is_named_under_a_right_digest(key):
    values = {name: value for name, value in json.loads(CONTENT).items() if name not in (key, "sha256")}
    digest = hashlib.sha256(json.dumps(values, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
    content = json.dumps({**values, "sha256": digest}, indent=1) + "\n"
    with pytest.raises(DataError, match=rf"damaged \({key} is missing\)"):
        Manifest.parse(content.encode(), "manifest.json")


@pytest.mark.parametrize("content", [b"[]", b"null", b"7", b'"text"'])
def test_json_that_is_no_manifest_is_refused(content):
    with pytest.raises(DataError, match="no sha256 of itself"):
        Manifest.parse(content, "manifest.json")


def test_a_directory_that_is_not_there_and_one_without_shards_are_told_apart(tmp_path):
    with pytest.raises(DataError, match=r"nowhere: no such directory\. Make shards with evoray data ingest"):
        Manifest.read(tmp_path / "nowhere")
    with pytest.raises(DataError, match=r"no manifest\.json in it, so it holds no \(finished\) shards"):
        Manifest.read(tmp_path)


@pytest.mark.parametrize("damage", ["{", '{"format": 1}', None])
def test_a_damaged_manifest_is_named(tree, tmp_path, damage):
    ingest_folder(tree, tmp_path / "shards", SMALL, workers=1)
    path = tmp_path / "shards" / "manifest.json"
    if damage is None:
        values = json.loads(path.read_text())
        values["rows"] += 1
        damage = json.dumps(values)
    path.write_text(damage)
    with pytest.raises(DataError, match=r"manifest\.json"):
        open_dataset(str(tmp_path / "shards"))


def test_the_manifest_says_what_was_done(tree, tmp_path):
    manifest = ingest_folder(tree, tmp_path / "shards", SMALL, workers=1, seed=5)
    assert manifest == Manifest.read(tmp_path / "shards")
    assert manifest.decoder.startswith("pillow ")
    assert manifest.transform == SMALL
    assert manifest.order_seed == 5


def signed(values):
    digest = hashlib.sha256(json.dumps(values, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
    return digest, (json.dumps({**values, "sha256": digest}, indent=1) + "\n").encode()


OLD = {
    "format": 1,
    "image_shape": [1, 8, 8],
    "classes": ["a"],
    "transform": {
        "resize": 8, "crop": 8, "interpolation": "bilinear", "antialias": True, "channels": 1, "decoder": "pil",
    },
    "decoder": "pillow 12.0.0",
    "order_seed": 0,
    "per_class": None,
    "rows": 1,
    "shards": [{"file": "shard-00000.arrow", "rows": 1, "bytes": 700, "sha256": "0" * 64}],
    "unreadable": [],
}  # fmt: skip
"""As it was written before transforms said what becomes of 16 bits."""


def test_a_manifest_from_before_the_rule_keeps_its_digest_and_says_that_it_clipped():
    digest, content = signed(OLD)
    manifest = Manifest.parse(content, "manifest.json")
    assert manifest.digest == digest == "46f1b8aa11e039d5a78b6fd0960c1d7b35afa828c79df3a9e9c002b26632f92a"
    assert manifest.to_json().encode() == content
    assert manifest.transform == ImageTransform(resize=8, crop=8, channels=1, depth="clip")
    assert "depth" not in manifest.transform.model_dump() and "depth" not in manifest.model_dump()["transform"]


def test_a_new_manifest_says_its_rule_and_has_another_digest():
    values = json.loads(CONTENT)
    assert values["transform"]["depth"] == "scale"
    clipped = MANIFEST.model_copy(update={"transform": ImageTransform(resize=20, crop=16, depth="clip")})
    assert clipped.digest != MANIFEST.digest
    assert Manifest.parse(clipped.to_json().encode(), "manifest.json") == clipped


def test_a_rule_that_does_not_exist_is_damage():
    _, content = signed({**OLD, "transform": {**OLD["transform"], "depth": "guess"}})
    with pytest.raises(DataError, match=r"damaged \(transform\.depth = 'guess': 'scale' or 'clip' is expected\)"):
        Manifest.parse(content, "manifest.json")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("manifest.json", r"the manifest\.json of a directory of shards\. Name the directory: .*/shards$"),
        ("other.arrow", r"other\.arrow: a file of a directory of shards\. Name the directory"),
        (
            "../train.parquet",
            "train.parquet: a file, and no directory of shards. Make shards of images with evoray data",
        ),
        ("../images.tar", "a file, and no directory of shards"),
    ],
)
def test_a_file_in_place_of_a_directory_is_named_for_what_it_is(name, message, tmp_path):
    (tmp_path / "shards").mkdir()
    (tmp_path / "shards" / "manifest.json").write_text("{}")
    (tmp_path / "shards" / name).touch()
    with pytest.raises(DataError, match=message):
        Manifest.read((tmp_path / "shards" / name).resolve())
