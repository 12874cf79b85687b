from __future__ import annotations

import json

import pytest
from pictures import GREY, SMALL, grey_records, make_tree

from evoray.data import ArrowDataset, place_of, verify
from evoray.errors import DataError
from evoray.ingest.ingest import ingest_dataset, ingest_folder


@pytest.fixture
def tree(tmp_path):
    return make_tree(tmp_path / "tree")


@pytest.mark.parametrize("scheme", ["", "file://"])
def test_verify_finds_any_flipped_byte(tree, tmp_path, scheme):
    """In a directory and at a URI."""
    ingest_folder(tree, tmp_path / "shards", SMALL, shard_size=10, workers=1)
    place = place_of(f"{scheme}{tmp_path}/shards")
    assert verify(place).damaged == ()
    for path in sorted((tmp_path / "shards").glob("*.arrow")):
        whole = path.read_bytes()
        for position in (0, len(whole) // 3, len(whole) - 1):
            path.write_bytes(whole[:position] + bytes([whole[position] ^ 1]) + whole[position + 1 :])
            (message,) = verify(place).damaged
            assert message.startswith(f"{place}/{path.name}: damaged")
            with pytest.raises(DataError, match=path.name):
                ArrowDataset(tmp_path / "shards").load(int(path.stem[-5:]))
        path.write_bytes(whole)
    (tmp_path / "shards" / "shard-00001.arrow").unlink()
    assert f"{place}/shard-00001.arrow: cannot be read" in verify(place).damaged[0]


def test_a_whole_set_is_reported_and_counted_as_it_is_checked(tmp_path):
    ingest_dataset(grey_records(23), tmp_path / "shards", GREY, shard_size=10)
    counted = []
    report = verify(tmp_path / "shards", lambda done, total: counted.append((done, total)))
    assert (report.rows, report.shards, report.damaged) == (23, 3, ())
    assert counted == [(10, 23), (10, 23), (3, 23)]


def test_every_bad_shard_has_its_message_in_order(tmp_path):
    ingest_dataset(grey_records(40), tmp_path / "shards", GREY, shard_size=10)
    for number in (3, 1):
        (tmp_path / "shards" / f"shard-{number:05d}.arrow").write_bytes(b"")
    report = verify(tmp_path / "shards")
    assert [message.split(":")[0].rpartition("/")[2] for message in report.damaged] == [
        "shard-00001.arrow",
        "shard-00003.arrow",
    ]
    assert report.shards == 4


def test_an_edited_manifest_is_no_report_but_an_error(tmp_path):
    ingest_dataset(grey_records(4), tmp_path / "shards", GREY)
    path = tmp_path / "shards" / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"order_seed": 1}))
    with pytest.raises(DataError, match="not what was written"):
        verify(tmp_path / "shards")


def test_a_directory_without_a_manifest_is_an_error(tmp_path):
    with pytest.raises(DataError, match=r"no manifest\.json"):
        verify(tmp_path)
