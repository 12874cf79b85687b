from __future__ import annotations

import os

import numpy as np
import pytest

from evoray.data.cache import ShardCache
from evoray.data.reader import open_shards, place_of
from evoray.data.records import Column
from evoray.data.shard_files import check_file
from evoray.errors import DataError
from evoray.ingest.records.writing import Gathered, write_records

SHARD = "shard-00001.arrow"


@pytest.fixture
def shards(tmp_path):
    columns = {"target": Column(type="float32", shape=(2,))}
    values = {"target": np.arange(20, dtype=np.float32).reshape(10, 2)}
    write_records(
        Gathered("regression", columns, values, "target", [f"r/{n}" for n in range(10)]), tmp_path / "s", 0, 4
    )
    return tmp_path / "s"


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))


def out_of_it(path):
    os.rename(path, path.parent.parent / "elsewhere.arrow")
    path.symlink_to(path.parent.parent / "elsewhere.arrow")


DAMAGES = {
    "a bit": (flip, "its SHA-256 is"),
    "cut": (lambda path: path.write_bytes(path.read_bytes()[:-8]), "bytes and the manifest says"),
    "gone": (lambda path: path.unlink(), "cannot be read"),
    "a folder": (lambda path: (path.unlink(), path.mkdir()), "not"),
    "a pipe": (lambda path: (path.unlink(), os.mkfifo(path)), "not"),
    "a link out of its folder": (out_of_it, "leads out"),
}


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("scheme", ["", "file://"])
def test_a_damaged_shard_is_named_and_the_others_are_read(shards, tmp_path, damage, scheme, monkeypatch):
    if scheme and damage in ("a pipe", "a link out of its folder"):
        pytest.skip("what lies in a store is the store's own")
    monkeypatch.setattr("evoray.data.cache.ATTEMPTS", 1)
    change, says = DAMAGES[damage]
    change(shards / SHARD)
    dataset = open_shards(place_of(f"{scheme}{shards}"), ShardCache(tmp_path / "cache", 10**9))
    assert len(dataset.load(0)) == 4
    with pytest.raises(DataError, match=SHARD) as refused:
        dataset.load(1)
    assert scheme or says in str(refused.value)


def test_a_shard_is_checked_once_a_process(shards, monkeypatch):
    checked = []
    monkeypatch.setattr("evoray.data.shard_files.check_file", lambda *one: checked.append(one) or check_file(*one))
    dataset = open_shards(shards)
    dataset.load(1), dataset.load(1)
    assert [path.name for path, _ in checked] == [SHARD]


def test_a_shard_that_was_written_to_since_is_checked_again(shards, tmp_path):
    """A byte that is flipped between two loads must not become another number."""
    for place in (shards, f"file://{shards}"):
        dataset = open_shards(place_of(str(place)), ShardCache(tmp_path / "cache", 10**9))
        before = dataset.load(1)["target"].copy()
        if place == shards:
            whole = (shards / SHARD).read_bytes()
            flip(shards / SHARD)
            with pytest.raises(DataError, match="its SHA-256 is"):
                dataset.load(1)
            (shards / SHARD).write_bytes(whole)
        else:
            flip(next(path for path in (tmp_path / "cache").iterdir() if not path.name.startswith(".")))
        assert np.array_equal(dataset.load(1)["target"], before)


def test_names_are_looked_at_without_a_check(shards):
    dataset = open_shards(shards)
    assert sorted(name for at in range(3) for name in dataset.sources(at).to_pylist()) == [f"r/{n}" for n in range(10)]
    assert open_shards(place_of(f"file://{shards}")).sources(0) is None
