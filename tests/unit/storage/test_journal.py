from __future__ import annotations

import hashlib
import tempfile
import threading
import time

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evoray.errors import RunError
from evoray.storage import journal as module
from evoray.storage.directory import RunDirectory
from evoray.storage.journal import Journal


@pytest.fixture(params=["path", "uri"])
def directory(request, tmp_path):
    return RunDirectory(str(tmp_path) if request.param == "path" else f"file://{tmp_path}/run")


def written(directory, *records):
    journal = Journal(directory)
    for stage, item, shard, payload in records:
        journal.add((stage, item, shard), payload)
    journal.close()


def test_what_is_journalled_is_read_back(directory):
    written(directory, ("g0000/child", "g0000/c0000", 0, b"\x00\x01"), ("g0000/child", "g0000/c0001", 0, b""))
    written(directory, ("g0000/child", "g0000/c0000", 1, b"second segment"))
    assert list(Journal(directory).read().take("g0000/child")) == [
        ("g0000/c0000", 0, b"\x00\x01"),
        ("g0000/c0001", 0, b""),
        ("g0000/c0000", 1, b"second segment"),
    ]


def test_the_newest_segments_come_first_and_nothing_is_joined(directory, monkeypatch):
    monkeypatch.setattr(module, "JOIN_SEGMENTS", 1)
    for number in range(4):
        written(directory, ("x", f"{number}a", 0, b"1"), ("x", f"{number}b", 1, b"2"), ("y", "other", 0, b"3"))
    before = directory.names("journal")
    found = Journal(directory).newest("x")
    assert next(found) == ("3a", 0, b"1") and [item for item, *_ in found] == ["3b", "2a", "2b", "1a", "1b", "0a", "0b"]
    assert directory.names("journal") == before and list(Journal(directory).newest("z")) == []


def test_a_stage_is_taken_once_and_alone(directory):
    written(directory, *((stage, item, 7, item.encode()) for stage, item in (("x", "a"), ("y", "b"), ("x", "c"))))
    records = Journal(directory).read()
    assert list(records.take("x")) == [("a", 7, b"a"), ("c", 7, b"c")]
    assert list(records.take("x")) == list(records.take("never")) == []
    assert len(records) == 1
    assert list(records.take("y")) == [("b", 7, b"b")]


def test_the_first_record_of_a_key_counts(directory):
    for payload in (b"first", b"second"):
        written(directory, ("s", "i", 0, payload))
    assert list(Journal(directory).read().take("s")) == [("i", 0, b"first")]


def test_the_last_record_is_on_disk_though_no_other_follows(directory, monkeypatch):
    monkeypatch.setattr(module, "FLUSH_SECONDS", 0.05)
    journal = Journal(directory)
    journal.add(("s", "i", 0), b"x")
    deadline = time.monotonic() + 30
    while not len(Journal(directory).read()) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert len(Journal(directory).read()) == 1
    journal.close()
    assert len(Journal(directory).read()) == 1


def test_memory_that_is_short_for_a_while_ends_no_thread_and_loses_nothing(tmp_path, monkeypatch):
    """A driver that is refused memory while it writes: the run stops with a message, and what waited is kept."""
    directory = RunDirectory(str(tmp_path))
    monkeypatch.setattr(module, "FLUSH_SECONDS", 0.01)
    refused = threading.Event()

    def no_memory(*arguments):
        refused.set()
        raise pa.lib.ArrowMemoryError("malloc of size 448 failed")

    journal = Journal(directory)
    with monkeypatch.context() as short:
        short.setattr(Journal, "_write", no_memory)
        journal.add(("s", "a", 0), b"x")
        assert refused.wait(30)
        deadline = time.monotonic() + 30
        while journal._failure is None and time.monotonic() < deadline:
            time.sleep(0.01)
        with pytest.raises(RunError, match="memory does not hold what waits"):
            journal.add(("s", "b", 0), b"y")
        assert journal._thread is not None and journal._thread.is_alive()
    journal.close()
    assert sorted(Journal(directory).read().take("s")) == [("a", 0, b"x"), ("b", 0, b"y")]


def test_the_promise_is_five_seconds():
    assert module.FLUSH_SECONDS <= 3, "and a write may take the rest"


@pytest.mark.parametrize(("limit", "value"), [("FLUSH_RECORDS", 3), ("FLUSH_BYTES", 3)])
def test_a_flush_comes_early_when_much_waits(limit, value, directory, monkeypatch):
    monkeypatch.setattr(module, limit, value)
    monkeypatch.setattr(module, "FLUSH_SECONDS", 3600.0)
    journal = Journal(directory)
    for number in range(4):
        journal.add(("s", "i", number), b"x")
    assert len(Journal(directory).read()) == 3
    journal.close()
    assert len(Journal(directory).read()) == 4


def test_many_segments_become_one(directory, monkeypatch):
    monkeypatch.setattr(module, "JOIN_SEGMENTS", 5)
    for number in range(12):
        written(directory, ("s", f"i{number % 9}", 0, str(number).encode()))
    expected = [(f"i{number}", 0, str(number).encode()) for number in range(9)]
    assert list(Journal(directory).read().take("s")) == expected
    (name,) = directory.names("journal")
    assert name.startswith("00000012-")
    written(directory, ("s", "new", 0, b"after"))
    assert list(Journal(directory).read().take("s")) == [*expected, ("new", 0, b"after")]
    assert len(directory.names("journal")) == 2


def test_large_segments_are_left_alone_and_small_ones_joined_to_a_size(directory, monkeypatch):
    monkeypatch.setattr(module, "JOIN_SEGMENTS", 2)
    monkeypatch.setattr(module, "SMALL_BYTES", 2000)
    monkeypatch.setattr(module, "JOINED_BYTES", 2500)
    for number in range(7):
        written(directory, ("s", f"i{number}", 0, bytes([number]) * (5000 if number == 2 else 900)))
    (large,) = [name for name in directory.names("journal") if name.startswith("00000002-")]
    expected = [(f"i{number}", 0, bytes([number]) * (5000 if number == 2 else 900)) for number in range(7)]
    assert list(Journal(directory).read().take("s")) == expected
    assert [name[:8] for name in directory.names("journal")] == ["00000002", "00000007", "00000008"]
    assert large in directory.names("journal")
    assert sorted(Journal(directory).read().take("s")) == expected


def test_a_crash_while_segments_become_one_loses_and_changes_nothing(directory, monkeypatch):
    monkeypatch.setattr(module, "JOIN_SEGMENTS", 2)
    for number in range(4):
        written(directory, ("s", f"i{number}", 0, str(number).encode()))
    calls = iter(range(10))

    def dies(name):
        if next(calls) == 2:
            raise KeyboardInterrupt
        RunDirectory.remove(directory, name)

    monkeypatch.setattr(directory, "remove", dies)
    with pytest.raises(KeyboardInterrupt):
        Journal(directory).read()
    monkeypatch.undo()
    assert len(directory.names("journal")) == 3
    found = sorted(Journal(directory).read().take("s"))
    assert found == [(f"i{number}", 0, str(number).encode()) for number in range(4)]


def test_no_damage_is_read_as_whole(tmp_path):
    directory = RunDirectory(str(tmp_path))
    written(directory, *(("stage", f"item{n}", n, bytes(8)) for n in range(20)))
    (path,) = (tmp_path / "journal").iterdir()
    whole = path.read_bytes()
    cut = [whole[:length] for length in range(0, len(whole), 97)]
    flipped = [whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :] for at in range(0, len(whole), 97)]
    for content in (*cut, *flipped, b"no arrow", whole + b"\0"):
        path.write_bytes(content)
        with pytest.raises(RunError, match=path.name):
            Journal(directory).read()
    path.write_bytes(whole)
    assert len(Journal(directory).read()) == 20


def test_two_drivers_of_one_run_overwrite_nothing(directory):
    first, second = Journal(directory), Journal(directory)
    first.add(("s", "a", 0), b"first")
    second.add(("s", "b", 0), b"second")
    first.close()
    second.close()
    assert sorted(Journal(directory).read().take("s")) == [("a", 0, b"first"), ("b", 0, b"second")]


def test_what_could_not_be_written_stops_the_run_and_is_kept(directory, monkeypatch):
    monkeypatch.setattr(module, "FLUSH_SECONDS", 0.01)
    full = True

    def write(name, content):
        if full:
            raise RunError("no space")
        RunDirectory.write(directory, name, content)

    monkeypatch.setattr(directory, "write", write)
    journal = Journal(directory)

    def add_until_it_stops():
        for number in range(3000):
            journal.add(("s", "i", number), b"x")
            time.sleep(0.01)

    with pytest.raises(RunError, match="no space"):
        add_until_it_stops()
    with pytest.raises(RunError, match="no space"):
        journal.flush()
    full = False
    journal.close()
    shards = [shard for _, shard, _ in Journal(directory).read().take("s")]
    assert shards == list(range(len(shards)))
    assert len(shards) > 0


def test_records_written_twice_in_several_segments(directory):
    written(directory, ("s", "i", 0, b"first"))
    written(directory, *(("s", item, shard, b"second") for item, shard in (("j", 0), ("i", 0), ("i", 1), ("j", 0))))
    found = list(Journal(directory).read().take("s"))
    assert found == [("i", 0, b"first"), ("j", 0, b"second"), ("i", 1, b"second")]


def test_an_empty_journal_holds_nothing(directory):
    records = Journal(directory).read()
    assert len(records) == 0 and list(records.take("s")) == []
    Journal(directory).close()
    assert directory.names("journal") == [], "nothing is written of nothing"


def test_closing_twice_writes_once(directory):
    journal = Journal(directory)
    journal.add(("s", "i", 0), b"x")
    journal.close()
    journal.close()
    assert len(directory.names("journal")) == 1


def test_a_segments_name_is_its_number_and_the_digest_of_its_content(tmp_path):
    directory = RunDirectory(str(tmp_path))
    for number in range(2):
        written(directory, ("s", "i", number, b"x"))
    for number, name in enumerate(directory.names("journal")):
        digest = hashlib.sha256((tmp_path / "journal" / name).read_bytes()).hexdigest()
        assert name == f"{number:08d}-{digest[:16]}.arrow"


def test_files_of_others_are_no_segments(directory):
    written(directory, ("s", "i", 0, b"x"))
    directory.write("journal/README.txt", b"text")
    assert list(Journal(directory).read().take("s")) == [("i", 0, b"x")]


KEYS = st.tuples(st.sampled_from(["a", "b"]), st.sampled_from(["i", "j", "ü"]), st.integers(-1, 2**31))


@given(st.lists(st.lists(st.tuples(KEYS, st.binary(max_size=5)), max_size=6), max_size=5))
@settings(max_examples=60, deadline=None)
def test_whatever_is_added_in_whatever_segments_the_first_of_a_key_counts(segments):
    with tempfile.TemporaryDirectory() as folder:
        directory = RunDirectory(folder)
        expected: dict = {}
        for segment in segments:
            written(directory, *((*key, payload) for key, payload in segment))
            for key, payload in segment:
                expected.setdefault(key, payload)
        records = Journal(directory).read()
        assert len(records) == sum(map(len, segments))
        for stage in ("a", "b"):
            taken = [((stage, item, shard), payload) for item, shard, payload in records.take(stage)]
            assert taken == [pair for pair in expected.items() if pair[0][0] == stage]
        assert len(records) == 0
