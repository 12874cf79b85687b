from __future__ import annotations

import numpy as np
import pytest

from evoray import store
from evoray.errors import RunError, UsageError
from evoray.store import Journal, RunDirectory, pack_arrays, unpack_arrays


@pytest.fixture(params=["path", "uri"])
def directory(request, tmp_path):
    return RunDirectory(str(tmp_path) if request.param == "path" else f"file://{tmp_path}/run")


def test_what_is_journalled_is_read_back(directory):
    journal = Journal(directory)
    journal.add(("g0000/child", "g0000/c0000", 0), b"\x00\x01")
    journal.add(("g0000/child", "g0000/c0001", 0), b"")
    journal.flush()
    again = Journal(directory)
    again.add(("g0000/child", "g0000/c0000", 1), b"second segment")
    again.flush()
    assert list(Journal(directory).read().take("g0000/child")) == [
        ("g0000/c0000", 0, b"\x00\x01"),
        ("g0000/c0001", 0, b""),
        ("g0000/c0000", 1, b"second segment"),
    ]


def test_a_stage_is_taken_once_and_alone(directory):
    journal = Journal(directory)
    for stage, item in (("first", "a"), ("second", "b"), ("first", "c")):
        journal.add((stage, item, 7), item.encode())
    journal.flush()
    records = Journal(directory).read()
    assert list(records.take("first")) == [("a", 7, b"a"), ("c", 7, b"c")]
    assert list(records.take("first")) == list(records.take("never")) == []
    assert len(records) == 1
    assert list(records.take("second")) == [("b", 7, b"b")]


def test_the_first_record_of_a_key_counts(directory):
    for payload in (b"first", b"second"):
        journal = Journal(directory)
        journal.add(("s", "i", 0), payload)
        journal.flush()
    assert list(Journal(directory).read().take("s")) == [("i", 0, b"first")]
    journal = Journal(directory)
    for item, shard in (("j", 0), ("i", 0), ("i", 1), ("j", 0)):
        journal.add(("s", item, shard), b"third")
    journal.flush()
    assert list(Journal(directory).read().take("s")) == [("i", 0, b"first"), ("j", 0, b"third"), ("i", 1, b"third")]


def test_records_are_on_disk_within_the_flush_time(directory, monkeypatch):
    monkeypatch.setattr(store, "FLUSH_SECONDS", 0.0)
    Journal(directory).add(("s", "i", 0), b"x")
    assert len(Journal(directory).read()) == 1


def test_a_flush_comes_early_when_many_wait(directory, monkeypatch):
    monkeypatch.setattr(store, "FLUSH_RECORDS", 3)
    journal = Journal(directory)
    for number in range(4):
        journal.add(("s", "i", number), b"x")
    assert len(Journal(directory).read()) == 3


def test_a_damaged_segment_is_named(tmp_path):
    directory = RunDirectory(str(tmp_path))
    directory.write("journal/00000000.arrow", b"no arrow")
    with pytest.raises(RunError, match=r"00000000\.arrow"):
        Journal(directory).read()


def test_a_half_written_file_is_never_seen(tmp_path):
    directory = RunDirectory(str(tmp_path))
    (tmp_path / "journal").mkdir()
    (tmp_path / "journal" / "00000000.arrow.part").write_bytes(b"half")
    assert directory.names("journal") == []
    assert len(Journal(directory).read()) == 0


def test_a_missing_file_is_a_clear_error(tmp_path):
    with pytest.raises(UsageError, match=r"no summary\.json"):
        RunDirectory(str(tmp_path)).read_json("summary.json")


def test_an_unwritable_directory_says_how_to_go_on(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="--resume"):
        RunDirectory(str(tmp_path / "file")).write("a/b.json", b"{}")


def test_an_unknown_scheme_is_refused():
    with pytest.raises(UsageError, match="nowhere"):
        RunDirectory("nowhere://bucket/run")


def test_arrays_survive_packing():
    arrays = {"a": np.arange(6.0).reshape(2, 3), "b": np.array([2**60], dtype=np.int64)}
    found = unpack_arrays(pack_arrays(arrays))
    assert found.keys() == arrays.keys()
    assert all(np.array_equal(found[name], arrays[name]) and found[name].dtype == arrays[name].dtype for name in arrays)
