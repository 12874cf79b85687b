"""Shards from a URI: fetched once a node, checked on arrival, within a limit, whatever dies on the way."""

from __future__ import annotations

import multiprocessing
import os

import numpy as np
import pytest
from PIL import Image

from evoray.data import ImageTransform, Remote, ShardCache, make_cache, open_dataset
from evoray.data import cache as module
from evoray.errors import DataError
from evoray.ingest.ingest import ingest_dataset

ROWS = 10


@pytest.fixture
def source(tmp_path):
    random = np.random.default_rng(0)
    images = [(Image.fromarray(random.integers(256, size=(8, 8), dtype=np.uint8)), i % 2) for i in range(4 * ROWS)]
    transform = ImageTransform(resize=None, crop=None, channels=1)
    ingest_dataset(images, tmp_path / "shards", transform, shard_size=ROWS)
    return tmp_path / "shards"


@pytest.fixture
def fetched(monkeypatch):
    """Names of the files that were read from the source."""
    names = []
    read = Remote.chunks

    def chunks(self, entry):
        names.append(entry.file)
        return read(self, entry)

    monkeypatch.setattr(Remote, "chunks", chunks)
    monkeypatch.setattr(module.time, "sleep", lambda seconds: None)
    return names


def dataset(source, tmp_path, limit=10**9):
    return open_dataset(f"file://{source}", cache=ShardCache(tmp_path / "cache", limit))


def kept(tmp_path):
    return sorted(path.name for path in (tmp_path / "cache").iterdir() if not path.name.startswith(".lock"))


def entries(source, tmp_path):
    return dataset(source, tmp_path).manifest.shards


def test_a_uri_gives_what_the_directory_gives(source, tmp_path, fetched):
    local, remote = open_dataset(str(source)), dataset(source, tmp_path)
    assert (remote.digest, remote.shard_rows, remote.classes) == (local.digest, local.shard_rows, local.classes)
    for _ in range(2):
        for index in range(4):
            here, there = local.load(index), remote.load(index)
            assert np.array_equal(here.images, there.images)
            assert (here.labels.tolist(), here.sources) == (there.labels.tolist(), there.sources)
    assert fetched == [entry.file for entry in local.manifest.shards]
    assert kept(tmp_path) == sorted(entry.sha256 for entry in local.manifest.shards)


def load_all(source, folder, start, counter):
    read = Remote.chunks

    def chunks(self, entry):
        with counter.get_lock():
            counter.value += 1
        return read(self, entry)

    Remote.chunks = chunks
    found = open_dataset(f"file://{source}", cache=ShardCache(folder, 10**9))
    start.wait()
    assert sum(len(found.load(index).labels) for index in range(4)) == 4 * ROWS


def test_workers_of_one_node_fetch_each_shard_once(source, tmp_path):
    context = multiprocessing.get_context("spawn")
    counter, start = context.Value("i", 0), context.Barrier(5)
    arguments = (source, tmp_path / "cache", start, counter)
    workers = [context.Process(target=load_all, args=arguments) for _ in range(5)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert [worker.exitcode for worker in workers] == [0] * 5
    assert counter.value == 4


def test_what_was_used_longest_ago_makes_room(source, tmp_path, fetched):
    shards = entries(source, tmp_path)
    size = max(entry.bytes for entry in shards)
    found = dataset(source, tmp_path, limit=2 * size + size // 2)
    for use, index in enumerate((0, 1, 0, 2)):
        held = found.load(index)
        os.utime(tmp_path / "cache" / shards[index].sha256, (use, use))
    assert kept(tmp_path) == sorted(shards[index].sha256 for index in (0, 2))
    first = found.load(3).images
    assert np.array_equal(held.images, open_dataset(str(source)).load(2).images), "a mapping outlives its file's name"
    assert kept(tmp_path) == sorted(shards[index].sha256 for index in (2, 3))
    assert first.shape == (ROWS, 1, 8, 8)
    assert sum((tmp_path / "cache" / name).stat().st_size for name in kept(tmp_path)) <= 2.5 * size


def test_a_shard_larger_than_the_limit_is_refused(source, tmp_path):
    with pytest.raises(DataError, match=r"cache_gb.*Raise it"):
        dataset(source, tmp_path, limit=100).load(0)


def test_a_shard_damaged_on_the_way_is_fetched_again(source, tmp_path, fetched, monkeypatch):
    read = Remote.chunks
    calls = iter(range(100))

    def chunks(self, name):
        content = b"".join(read(self, name))
        yield content if next(calls) else content[:-1]

    monkeypatch.setattr(Remote, "chunks", chunks)
    assert len(dataset(source, tmp_path).load(0).labels) == ROWS
    assert len(fetched) == 2


def test_a_shard_damaged_at_its_source_is_named_and_not_kept(source, tmp_path, fetched):
    entry = entries(source, tmp_path)[1]
    content = bytearray((source / entry.file).read_bytes())
    content[len(content) // 2] ^= 1
    (source / entry.file).write_bytes(content)
    with pytest.raises(DataError, match=rf"{entry.file}: damaged.*SHA-256"):
        dataset(source, tmp_path).load(1)
    assert kept(tmp_path) == []


def test_a_source_that_fails_for_a_while_is_asked_again(source, tmp_path, fetched, monkeypatch):
    read = Remote.chunks
    calls = iter(range(100))

    def chunks(self, name):
        yield from [b"partial"][: next(calls) == 0]
        if next(calls) < 4:
            raise OSError("slow down")
        yield from read(self, name)

    monkeypatch.setattr(Remote, "chunks", chunks)
    assert len(dataset(source, tmp_path).load(0).labels) == ROWS
    monkeypatch.setattr(Remote, "chunks", lambda self, name: (_ for _ in ()).throw(OSError("gone for good")))
    with pytest.raises(DataError, match="gone for good"):
        dataset(source, tmp_path).load(1)


def test_a_file_damaged_in_the_cache_is_fetched_again(source, tmp_path, fetched):
    dataset(source, tmp_path).load(0)
    path = tmp_path / "cache" / kept(tmp_path)[0]
    path.write_bytes(path.read_bytes()[:-1] + b"\0")
    assert np.array_equal(dataset(source, tmp_path).load(0).images, open_dataset(str(source)).load(0).images)
    assert len(fetched) == 2


def test_leavings_of_a_dead_worker_are_replaced(source, tmp_path):
    entry = entries(source, tmp_path)[0]
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / f"{entry.sha256}.part").write_bytes(b"half")
    assert len(dataset(source, tmp_path).load(0).labels) == ROWS
    assert kept(tmp_path) == [entry.sha256]


def test_a_missing_shard_is_named(source, tmp_path, fetched):
    entry = entries(source, tmp_path)[2]
    (source / entry.file).unlink()
    with pytest.raises(DataError, match=entry.file):
        dataset(source, tmp_path).load(2)


def test_a_cache_that_cannot_be_written_says_what_to_do(source, tmp_path):
    (tmp_path / "file").write_text("")
    found = open_dataset(f"file://{source}", cache=ShardCache(tmp_path / "file" / "cache", 10**9))
    with pytest.raises(DataError, match=r"data\.cache_dir"):
        found.load(0)


@pytest.mark.parametrize("uri", ["file:///nowhere/at/all", "nowhere://bucket/shards"])
def test_a_uri_without_shards_is_refused(uri):
    with pytest.raises(DataError, match="nowhere"):
        open_dataset(uri)


def test_no_key_is_shown(tmp_path):
    remote = Remote("s3://name:secret@bucket/shards?region=us-east-1")
    assert remote.uri == "s3://bucket/shards"


def test_the_default_cache_is_in_the_users_home(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert make_cache(None, None)._folder == tmp_path / ".cache" / "evoray" / "shards"
    assert make_cache("~/fast", 1.5)._folder == tmp_path / "fast"
